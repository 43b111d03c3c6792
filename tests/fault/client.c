/* tests/fault/client.c - each operation of the client's half with its first call failing, its second, and so
 * on until a run goes through: an allocation, a system call, a call of libcurl (calls.h), or
 * what util/fault.h counts. Whatever fails, the error is a clear value, nothing is left open, and the same
 * client then does it. All of it has an allocator of the program's own, which wants back its own blocks and
 * all of them. That nothing else leaks is AddressSanitizer's to say.
 *
 * A new operation is a new line of OPERATIONS; tests/arch/test_faults.py finds what has none. The registry is
 * a process of its own: what fails here does not fail there. */
#include "allocator.h"
#include "calls.h"
#include "fixture.h"
#include "helper_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "berth/config.h"
#include "berth/credentials.h"
#include "berth/download.h"
#include "berth/layout.h"
#include "berth/reference.h"
#include "berth/request.h"
#include "client/content.h"
#include "content/content.h"
#include "util/fault.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC "sha256:" HEX
#define SUBJECT                                                                                              \
    "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" ABC "\",\"size\":3}"
#define BODY  "{\"schemaVersion\":2,\"manifests\":[],\"subject\":" SUBJECT "}"
#define INDEX "HTTP/1.1 200 X\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n"
#define TOKEN "{\"token\":\"t\",\"refresh_token\":\"r\"}"

/* The first row whose beginning fits is the answer. A request that says "X-Door" is refused until it says who
 * sends it. */
static const struct {
    const char *begins, *has, *answer;
} routes[] = {
    {"GET /token", "", JSON(33) TOKEN},
    {"POST /token", "", JSON(33) TOKEN},
    {"", "\r\nX-Door: token", UNAUTHORIZED BEARER "scope=\"x\"\r\n\r\n"},
    {"", "\r\nX-Door: password", UNAUTHORIZED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n"},
    {"HEAD /v2/a/manifests/", "", INDEX "Content-Length: 181\r\n\r\n"},
    {"HEAD /v2/there/", "", "HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\n"},
    {"HEAD ", "", NOT_THERE},
    {"POST /v2/a/blobs/uploads/?mount", "", CREATED},
    {"POST ", "", ACCEPTED "Location: /up?x=y\r\n" EMPTY},
    {"PATCH ", "", ACCEPTED "Location: /up?x=z\r\n" EMPTY},
    {"GET /up", "", "HTTP/1.1 204 X\r\nLocation: /up?x=y\r\nRange: 0-2\r\n\r\n"},
    {"GET /v2/a/blobs/", "\r\nRange: bytes=0-0\r\n",
     "HTTP/1.1 206 X\r\nContent-Range: bytes 0-0/3\r\nContent-Length: 1\r\n\r\na"},
    {"GET /v2/a/blobs/", "\r\nRange: bytes=1-1\r\n",
     "HTTP/1.1 206 X\r\nContent-Range: bytes 1-1/3\r\nContent-Length: 1\r\n\r\nb"},
    {"GET /v2/a/blobs/", "\r\nRange: bytes=2-2\r\n",
     "HTTP/1.1 206 X\r\nContent-Range: bytes 2-2/3\r\nContent-Length: 1\r\n\r\nc"},
    {"GET /v2/a/blobs/", "\r\nRange: bytes=1-",
     "HTTP/1.1 206 X\r\nContent-Range: bytes 1-2/3\r\nContent-Length: 2\r\n\r\nbc"},
    {"GET /v2/a/blobs/", "", "HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nabc"},
    {"GET /v2/a/referrers/", "", NOT_THERE},
    {"GET /v2/a/manifests/sha256-", "", INDEX "\r\n{\"schemaVersion\":2,\"manifests\":[" SUBJECT "]}"},
    {"GET /v2/a/manifests/", "", INDEX "\r\n" BODY},
    {"GET /v2/a/tags/list?n=2", "", JSON(15) "{\"tags\":[\"v2\"]}"},
    {"GET /v2/a/tags/list?n=1", "",
     "HTTP/1.1 200 X\r\nLink: </v2/a/tags/list?n=2>; rel=\"next\"\r\nContent-Length: "
     "15\r\n\r\n{\"tags\":[\"v1\"]}"},
    {"GET /v2/_catalog", "", JSON(22) "{\"repositories\":[\"a\"]}"},
    {"GET /far", "",
     "HTTP/1.1 307 X\r\nLocation: /near\r\nWarning: 299 - \"careful\"\r\nRateLimit-Limit: 9;w=9\r\n" EMPTY},
    {"GET /odd", "",
     "HTTP/1.1 404 X\r\nLocation: /there?x\r\nContent-Length: "
     "51\r\n\r\n{\"errors\":[{\"code\":\"X\",\"message\":\"y\",\"detail\":{}}]}"},
    {"GET ", "", JSON(15) "{\"tags\":[\"v1\"]}"},
    {"DELETE ", "", "HTTP/1.1 202 X\r\n" EMPTY},
    {"PUT ", "", CREATED},
};

static struct script server; /* the registry's */
static pid_t child;

static bool fits(const char *request, size_t i)
{
    return strncmp(request, routes[i].begins, strlen(routes[i].begins)) == 0 &&
           strstr(request, routes[i].has) &&
           (strncmp(routes[i].has, "\r\nX-Door", 8) != 0 || !strstr(request, "\r\nAuthorization:"));
}

static void serve_for_ever(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        server.requests[0][0] = '\0';
        server.received[0] = 0;
        server.answers[0] = CREATED;
        receive(&server, fd, 0);
        size_t i = 0;
        while (i + 1 < COUNT(routes) && !fits(server.requests[0], i))
            i++;
        answer(&server, fd, routes[i].answer);
        close(fd);
    }
}

/* --- the clients --- */

/* Who the client is, and what the registry asks of it. */
enum door { NO_CLIENT, OPEN, BY_TOKEN, BY_IDENTITY, BY_PASSWORD, BY_FILE, BY_HELPER };

static const char *const asks_token[] = {"X-Door: token"}, *const asks_password[] = {"X-Door: password"};

static int open_client(enum door door, berth_client **ret, berth_error *err)
{
    char config[128];
    snprintf(config, sizeof(config), "%s/%s.json", helper_folder, door == BY_HELPER ? "helper" : "file");
    const berth_credential identity = {
        .size = sizeof(identity), .username = "alice", .identity_token = "identity"};
    const berth_credential *const given[] = {&identity, NULL};
    berth_credentials_options credentials = BERTH_CREDENTIALS_OPTIONS_INIT;
    berth_client_options o = BERTH_CLIENT_OPTIONS_INIT;
    o.first_wait_ms = 1;
    o.headers = door == BY_TOKEN || door == BY_IDENTITY ? asks_token : asks_password;
    o.n_headers = door == OPEN ? 0 : 1;
    if (door == BY_TOKEN || door == BY_PASSWORD) {
        o.username = "alice";
        o.password = "secret";
    }
    if (door == BY_FILE || door == BY_HELPER)
        o.credentials_file = config;
    if (door == BY_IDENTITY) {
        credentials.given = given;
        o.credentials = &credentials;
    }
    return berth_client_new(server.host, &o, ret, err);
}

static int open_another(berth_error *err)
{
    berth_client *c = NULL;
    int r = open_client(BY_IDENTITY, &c, err);
    if (r == BERTH_OK) {
        berth_client_close(c);
        r = berth_client_set_default_name(c, "a", err);
    }
    berth_client_free(c);
    return r;
}

/* --- what the operations are given, and do with what they get --- */

static int take_name(void *arg, const char *name)
{
    (void)arg;
    return name[0] == '\0';
}

static int take_referrer(void *arg, const berth_referrer *r)
{
    (void)arg;
    return r->size != 3;
}

static int take_bytes(void *arg, const void *p, size_t n)
{
    size_t *had = arg;
    static const char all[] = "abc";
    int r = *had + n > 3 || memcmp(all + *had, p, n) != 0;
    *had += n;
    return r;
}

static int give(void *arg, void *p, size_t n, size_t *ret_n)
{
    size_t *left = arg;
    *ret_n = MIN(n, *left);
    memset(p, 'x', *ret_n);
    *left -= *ret_n;
    return 0;
}

static int get_blob(berth_client *c, uint64_t from, berth_call **call, berth_error *err)
{
    size_t had = from;
    int r = from ? berth_blob_get_range(c, "a", ABC, from, 0, take_bytes, &had, call, err)
                 : berth_blob_get(c, "a", ABC, take_bytes, &had, call, err);
    CHECK(r != BERTH_OK || had == 3);
    return r;
}

/* Behind what is there already: a beginning, or bytes that are another blob's. */
static int get_open_file(berth_client *c, const char *there, berth_call **call, berth_error *err)
{
    char text[8];
    berth_get_options o = BERTH_GET_OPTIONS_INIT;
    FILE *f = tmpfile();
    CHECK(f);
    o.ranges = 2;
    o.ranges_from = 1;
    o.goes_on = true;
    CHECK(fputs(there, f) >= 0 && fflush(f) == 0);
    int r = berth_blob_get_fd(c, "a", ABC, fileno(f), &o, call, err);
    rewind(f);
    CHECK(r != BERTH_OK || (fread(text, 1, 8, f) == 3 && memcmp(text, "abc", 3) == 0));
    fclose(f);
    return r;
}

static int get_file(berth_client *c, unsigned ranges, berth_call **call, berth_error *err)
{
    berth_get_options o = BERTH_GET_OPTIONS_INIT;
    char path[128], text[8] = "";
    snprintf(path, sizeof(path), "%s/blob", helper_folder);
    unlink(path);
    o.ranges = ranges;
    o.ranges_from = 1;
    int r = ranges ? berth_blob_get_file_with(c, "a", ABC, path, &o, call, err)
                   : berth_blob_get_file(c, "a", ABC, path, call, err);
    FILE *f = fopen(path, "re");
    CHECK(r != BERTH_OK || f);
    if (f) { /* it is there whole, or not at all */
        CHECK(fread(text, 1, 8, f) == 3 && strcmp(text, "abc") == 0);
        fclose(f);
    }
    return r;
}

enum how { WHOLE, SINGLE, CHUNKED, STREAM, MOUNTED, FROM_FILE, TOLD_LATER };

static int tell_digest(void *unused, const char **ret_digest)
{
    (void)unused;
    *ret_digest = ABC;
    return 0;
}

static int put_blob(berth_client *c, enum how how, berth_call **call, berth_error *err)
{
    size_t left = 10;
    char path[128];
    snprintf(path, sizeof(path), "%s/source", helper_folder);
    bool from_file = how == FROM_FILE || how == TOLD_LATER;
    CLEANUP(closep) int fd = from_file ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (from_file && fd < 0)
        return berth_error_set(err, BERTH_E_IO, "the test's own file");
    berth_source source = BERTH_SOURCE_BYTES("abc", 3);
    if (how == STREAM)
        source = (berth_source)BERTH_SOURCE_FN(give, NULL, &left, BERTH_LENGTH_UNKNOWN);
    if (from_file)
        source = (berth_source)BERTH_SOURCE_FD(fd);
    berth_put_options o = BERTH_PUT_OPTIONS_INIT;
    o.chunk_size = how == CHUNKED || how == FROM_FILE ? 3 : 4;
    o.mode = how == SINGLE ? BERTH_PUT_SINGLE : how == CHUNKED ? BERTH_PUT_CHUNKED : BERTH_PUT_AUTO;
    if (how == TOLD_LATER)
        o.digest_later = tell_digest;
    else if (how != WHOLE && how != STREAM)
        o.digest = ABC;
    if (how == MOUNTED)
        o.mount_from = "b";
    return berth_blob_put(c, "a", &source, &o, call, err);
}

static int put_manifest(berth_client *c, berth_call **call, berth_error *err)
{
    static const char *const tags[] = {"v2", "v3"};
    berth_manifest_put_options o = BERTH_MANIFEST_PUT_OPTIONS_INIT;
    o.tags = tags;
    o.n_tags = 2;
    return berth_manifest_put(c, "a", "v1", BODY, strlen(BODY), &o, call, err);
}

static int delete_manifest(berth_client *c, berth_error *err)
{
    berth_digest d;
    digest_of(HASH_SHA256, BODY, strlen(BODY), &d);
    return berth_manifest_delete(c, "a", d.text, err);
}

static int list_pages(berth_client *c, berth_call **call, berth_error *err)
{
    berth_list_options o = BERTH_LIST_OPTIONS_INIT;
    o.page_size = 1;
    return berth_tag_list_with(c, "a", &o, take_name, NULL, call, err);
}

static const berth_source three = BERTH_SOURCE_BYTES("abc", 3);

/* A request with all that one may have. */
static int ask(berth_client *c, const char *path, berth_call **call, berth_error *err)
{
    berth_request *q = NULL;
    int r = berth_request_new(c, path[1] == 'v' ? "PUT" : "GET", path, &q, err);
    if (r != BERTH_OK)
        return r;
    berth_request_set_name(q, "a");
    berth_request_set_reference(q, "v1");
    berth_request_set_digest(q, ABC);
    berth_request_set_session_id(q, "s");
    berth_request_set_header(q, "Accept", "text/plain");
    berth_request_add_header(q, "Accept", "text/html");
    berth_request_set_query(q, "n", "1");
    berth_request_add_query(q, "x", "&");
    if (path[1] == 'v')
        berth_request_set_source(q, &three);
    char *url = NULL;
    r = berth_request_url(q, &url, err);
    mem_free(url);
    if (r == BERTH_OK)
        r = berth_request_send(q, call, err);
    berth_request_free(q);
    if (r == BERTH_OK && path[1] == 'o') {
        const berth_response_error *errors = NULL;
        size_t n = 0;
        r = berth_response_errors(berth_call_response(*call), &errors, &n, err);
        CHECK(r != BERTH_OK || (n == 1 && strcmp(errors[0].code, "X") == 0));
    }
    return r;
}

/* The same things through content.h, as commands on images use them. */
static int through_content(berth_client *c, berth_error *err)
{
    content *place = NULL;
    berth_manifest *m = NULL;
    bool there = false;
    size_t had = 0;
    const berth_descriptor blob = {.media_type = "text/plain", .digest = ABC, .size = 3};
    const struct content_source bytes = {"abc", -1};
    int r = content_registry_open(c, "a", &place, err);
    if (r == BERTH_OK)
        r = place->ops->manifest_get(place, "v1", &m, err);
    if (r == BERTH_OK)
        r = place->ops->blob_get(place, &blob, take_bytes, &had, err);
    if (r == BERTH_OK)
        r = place->ops->blob_has(place, ABC, &there, err);
    if (r == BERTH_OK)
        r = place->ops->blob_put(place, &blob, &bytes, err);
    if (r == BERTH_OK)
        r = place->ops->manifest_put(place, "v1", m, err);
    if (r == BERTH_OK)
        r = place->ops->tags(place, take_name, NULL, err);
    berth_manifest_free(m);
    content_free(place);
    return r;
}

static int in_config(const char *name, const char *place, bool store, berth_error *err)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s.json", helper_folder, name);
    berth_credential credential = BERTH_CREDENTIAL_INIT;
    credential.username = "alice";
    credential.password = "secret";
    int r = store ? berth_credentials_store(path, place, &credential, 0, err) : BERTH_OK;
    if (r == BERTH_OK && !store) {
        r = berth_credentials_erase(path, place, 0, err);
        if (r == BERTH_E_NOT_FOUND) { /* an earlier run has done it */
            *err = (berth_error)BERTH_ERROR_INIT;
            r = BERTH_OK;
        }
    }
    return r;
}

/* --- documents: no client, no network --- */

#define LAYER "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" ABC "\",\"size\":3}"
#define CONFIG                                                                                               \
    "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" ABC "\",\"size\":3}"
#define IMAGE                                                                                                \
    "{\"schemaVersion\":2,\"mediaType\":\"" BERTH_TYPE_OCI_MANIFEST "\",\"config\":" CONFIG                  \
    ",\"layers\":[" LAYER "],\"annotations\":{\"a\":\"b\"}}"
#define PLATFORM "\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}"
#define CHILDREN                                                                                             \
    "{\"schemaVersion\":2,\"mediaType\":\"" BERTH_TYPE_OCI_INDEX "\",\"manifests\":[{\"mediaType\":"         \
    "\"" BERTH_TYPE_OCI_MANIFEST "\",\"digest\":\"" ABC "\",\"size\":3," PLATFORM "}]}"
#define SCHEMA1                                                                                              \
    "{\"schemaVersion\":1,\"name\":\"a\",\"tag\":\"v1\",\"architecture\":\"amd64\",\"fsLayers\":[{"          \
    "\"blobSum\""                                                                                            \
    ":\"" ABC "\"}],\"history\":[{\"v1Compatibility\":\"{}\"}]}"
#define OF_IMAGE                                                                                             \
    "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A=b\"],\"Cmd\":[\"sh\"],"           \
    "\"Labels\":{"                                                                                           \
    "\"a\":\"b\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" ABC                                     \
    "\"]},\"history\":[{\"created_by\":"                                                                     \
    "\"x\"}]}"

static int parse_reference(const char *text, const char *tag, berth_error *err)
{
    berth_ref ref = BERTH_REF_INIT, other = BERTH_REF_INIT, copy = BERTH_REF_INIT;
    berth_ref_options o = BERTH_REF_OPTIONS_INIT;
    o.default_tag = "latest";
    o.default_registry = "registry.example";
    berth_digest d;
    int r = berth_digest_parse(ABC, &d, err);
    if (r == BERTH_OK)
        r = tag ? berth_ref_parse(text, &ref, err) : berth_ref_parse_with(text, &o, &ref, err);
    if (r == BERTH_OK)
        r = tag ? berth_ref_with_tag(&ref, tag, &other, err) : berth_ref_with_digest(&ref, &d, &other, err);
    if (r == BERTH_OK && !tag)
        r = berth_ref_digest(&other, &d, err);
    if (r == BERTH_OK)
        r = berth_ref_copy(&other, &copy, err);
    berth_ref_done(&copy);
    berth_ref_done(&ref);
    berth_ref_done(&other);
    return r;
}

static int hash(berth_error *err)
{
    berth_hasher *h = NULL;
    berth_digest d;
    int r = berth_digest_of(BERTH_DIGEST_SHA256, "abc", 3, &d, err);
    if (r == BERTH_OK)
        r = berth_hasher_new(BERTH_DIGEST_SHA256, &h, err);
    if (r == BERTH_OK) {
        berth_hasher_update(h, "abc", 3);
        r = berth_hasher_verify(h, &d, err);
    }
    berth_hasher_free(h);
    return r;
}

static int parse_manifest(const char *text, const char *type, berth_error *err)
{
    berth_manifest *m = NULL;
    int r = berth_manifest_parse(text, strlen(text), type, &m, err);
    if (r == BERTH_OK && m->kind != BERTH_KIND_SCHEMA1)
        r = berth_manifest_validate(m, err);
    berth_manifest_free(m);
    return r;
}

static int parse_config(berth_error *err)
{
    berth_config *config = NULL;
    int r = berth_config_parse(OF_IMAGE, strlen(OF_IMAGE), &config, err);
    if (r == BERTH_OK)
        r = berth_config_validate(config, err);
    berth_config_free(config);
    return r;
}

static int parse_platform(berth_error *err)
{
    berth_platform *p = NULL;
    int r = berth_platform_parse("linux/arm64/v8", &p, err);
    berth_platform_free(p);
    return r;
}

static int build_image(berth_error *err)
{
    berth_builder *b = NULL;
    berth_manifest *m = NULL;
    berth_descriptor d = {.media_type = BERTH_TYPE_OCI_CONFIG, .digest = ABC, .size = 3};
    int r = berth_builder_new(BERTH_TYPE_OCI_MANIFEST, &b, err);
    if (r == BERTH_OK)
        r = berth_builder_set_config(b, &d, err);
    if (r == BERTH_OK)
        r = berth_builder_add_layer(b, &d, err);
    if (r == BERTH_OK)
        r = berth_builder_set_subject(b, &d, err);
    if (r == BERTH_OK)
        r = berth_builder_set_artifact_type(b, "text/plain", err);
    if (r == BERTH_OK)
        r = berth_builder_set_annotation(b, "a", "b", err);
    if (r == BERTH_OK)
        r = berth_builder_finish(b, &m, err);
    berth_manifest_free(m);
    berth_builder_free(b);
    return r;
}

static int build_index(berth_error *err)
{
    berth_builder *b = NULL;
    berth_manifest *m = NULL, *image = NULL, *made = NULL;
    berth_config *config = NULL;
    berth_descriptor d = {.media_type = BERTH_TYPE_OCI_MANIFEST, .digest = ABC, .size = 3};
    int r = berth_manifest_parse(CHILDREN, strlen(CHILDREN), NULL, &m, err);
    if (r == BERTH_OK)
        r = berth_manifest_parse(IMAGE, strlen(IMAGE), NULL, &image, err);
    if (r == BERTH_OK)
        r = berth_config_parse(OF_IMAGE, strlen(OF_IMAGE), &config, err);
    if (r == BERTH_OK)
        r = berth_builder_from(m, &b, err);
    if (r == BERTH_OK)
        r = berth_builder_add_manifest(b, &d, err);
    if (r == BERTH_OK)
        r = berth_builder_add_image(b, image, config, err);
    if (r == BERTH_OK)
        r = berth_builder_finish(b, &made, err);
    CHECK(r != BERTH_OK || made->n_manifests == 3);
    berth_manifest_free(m);
    berth_manifest_free(image);
    berth_manifest_free(made);
    berth_config_free(config);
    berth_builder_free(b);
    return r;
}

/* An image layout that is made, written to and read. */
static int layout(berth_error *err)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/layout", helper_folder);
    content *place = NULL;
    berth_manifest *m = NULL, *got = NULL;
    size_t had = 0;
    const berth_descriptor blob = {.media_type = "text/plain", .digest = ABC, .size = 3};
    const struct content_source bytes = {"abc", -1};
    int r = berth_manifest_parse(IMAGE, strlen(IMAGE), NULL, &m, err);
    if (r == BERTH_OK)
        r = content_layout_open(path, true, &place, err);
    if (r == BERTH_OK)
        r = place->ops->blob_put(place, &blob, &bytes, err);
    if (r == BERTH_OK)
        r = place->ops->manifest_put(place, "v1", m, err);
    if (r == BERTH_OK)
        r = place->ops->manifest_get(place, "v1", &got, err);
    if (r == BERTH_OK)
        r = place->ops->blob_get(place, &blob, take_bytes, &had, err);
    if (r == BERTH_OK)
        r = place->ops->tags(place, take_name, NULL, err);
    berth_manifest_free(m);
    berth_manifest_free(got);
    content_free(place);
    return r;
}

static int take_entry(void *arg, const char *name, const berth_descriptor *d)
{
    (void)arg, (void)name, (void)d;
    return 0;
}

static int take_descriptor(void *arg, const berth_descriptor *d)
{
    return take_entry(arg, NULL, d);
}

static int write_blob(berth_layout *l, const char *digest, berth_error *err)
{
    berth_layout_writer *w = NULL;
    int r = berth_layout_writer_new(l, digest, &w, err);
    if (r == BERTH_OK)
        berth_layout_writer_add(w, "abc", 3);
    if (r == BERTH_OK)
        r = berth_layout_writer_finish(w, NULL, err);
    berth_layout_writer_free(w);
    return r;
}

/* The same by the library's own functions. */
static int layout_of_the_library(berth_error *err)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/library", helper_folder);
    berth_layout *l = NULL;
    berth_manifest *m = NULL, *got = NULL;
    size_t had = 0;
    uint64_t size;
    int r = berth_manifest_parse(IMAGE, strlen(IMAGE), NULL, &m, err);
    if (r == BERTH_OK)
        r = berth_layout_open(path, true, &l, err);
    if (r == BERTH_OK)
        r = write_blob(l, NULL, err);
    if (r == BERTH_OK)
        r = write_blob(l, ABC, err);
    if (r == BERTH_OK)
        r = berth_layout_blob_size(l, ABC, &size, err);
    if (r == BERTH_OK)
        r = berth_layout_blob_get(l, ABC, take_bytes, &had, err);
    if (r == BERTH_OK)
        r = berth_layout_manifest_put(l, m->digest, m, err);
    if (r == BERTH_OK)
        r = berth_layout_tag(l, m->digest, "v1", err);
    if (r == BERTH_OK)
        r = berth_layout_manifest_get(l, "v1", &got, err);
    if (r == BERTH_OK)
        r = berth_layout_untag(l, "v1", false, err);
    if (r == BERTH_OK)
        r = berth_layout_list(l, take_entry, NULL, err);
    if (r == BERTH_OK)
        r = berth_layout_referrers(l, ABC, NULL, take_descriptor, NULL, err);
    if (r == BERTH_OK)
        r = berth_layout_verify(l, NULL, NULL, err);
    berth_manifest_free(m);
    berth_manifest_free(got);
    berth_layout_free(l);
    return r;
}

/* --- the operations: X(name, door, what is done with client c, call and err) --- */

#define OPERATIONS(X)                                                                                        \
    X(open_and_close, NO_CLIENT, open_another(err))                                                          \
    X(ping, OPEN, berth_ping(c, err))                                                                        \
    X(ping_for_a_token, BY_TOKEN, berth_ping(c, err))                                                        \
    X(ping_with_an_identity, BY_IDENTITY, berth_ping(c, err))                                                \
    X(ping_with_a_password, BY_PASSWORD, berth_ping(c, err))                                                 \
    X(ping_out_of_a_file, BY_FILE, berth_ping(c, err))                                                       \
    X(ping_with_a_helper, BY_HELPER, berth_ping(c, err))                                                     \
    X(login, BY_TOKEN, berth_login(c, true, call, err))                                                      \
    X(whoami, BY_FILE, berth_whoami(c, "a", BERTH_PRIVILEGE_READ, call, err))                                \
    X(whoami_with_a_helper, BY_HELPER, berth_whoami(c, NULL, BERTH_PRIVILEGE_ALL, call, err))                \
    X(authorize, BY_TOKEN, berth_authorize(c, "a", "pull", call, err))                                       \
    X(manifest_get, OPEN, berth_manifest_get(c, "a", "v1", BERTH_ACCEPT_ANY, call, err))                     \
    X(manifest_head, OPEN, berth_manifest_head(c, "a", "v1", BERTH_ACCEPT_INDEX, call, err))                 \
    X(manifest_digest, OPEN, berth_manifest_digest(c, "a", "v1", call, err))                                 \
    X(manifest_put, OPEN, put_manifest(c, call, err))                                                        \
    X(manifest_put_for_a_token, BY_TOKEN, put_manifest(c, call, err))                                        \
    X(manifest_delete, OPEN, delete_manifest(c, err))                                                        \
    X(tag_list, OPEN, berth_tag_list(c, "a", take_name, NULL, err))                                          \
    X(tag_list_with, OPEN, list_pages(c, call, err))                                                         \
    X(tag_add, OPEN, berth_tag_add(c, "a", "v1", "v2", call, err))                                           \
    X(tag_delete, OPEN, berth_tag_delete(c, "a", "v1", false, err))                                          \
    X(tag_purge, OPEN, berth_tag_delete(c, "a", "v1", true, err))                                            \
    X(catalog, OPEN, berth_catalog(c, NULL, take_name, NULL, call, err))                                     \
    X(referrers_list, OPEN, berth_referrers_list(c, "a", ABC, NULL, take_referrer, NULL, err))               \
    X(blob_get, OPEN, get_blob(c, 0, call, err))                                                             \
    X(blob_get_range, OPEN, get_blob(c, 1, call, err))                                                       \
    X(blob_get_memory, OPEN, berth_blob_get_memory(c, "a", ABC, 3, call, err))                               \
    X(blob_get_file, OPEN, get_file(c, 0, call, err))                                                        \
    X(blob_get_fd, OPEN, get_open_file(c, "", call, err))                                                    \
    X(blob_get_fd_behind, OPEN, get_open_file(c, "a", call, err))                                            \
    X(blob_get_fd_anew, OPEN, get_open_file(c, "xy", call, err))                                             \
    X(blob_get_file_in_ranges, OPEN, get_file(c, 3, call, err))                                              \
    X(blob_head, OPEN, berth_blob_head(c, "there", ABC, call, err))                                          \
    X(blob_delete, OPEN, berth_blob_delete(c, "a", ABC, err))                                                \
    X(blob_put, OPEN, put_blob(c, WHOLE, call, err))                                                         \
    X(blob_put_single, OPEN, put_blob(c, SINGLE, call, err))                                                 \
    X(blob_put_chunked, OPEN, put_blob(c, CHUNKED, call, err))                                               \
    X(blob_put_stream, OPEN, put_blob(c, STREAM, call, err))                                                 \
    X(blob_put_mounted, OPEN, put_blob(c, MOUNTED, call, err))                                               \
    X(blob_put_file, BY_TOKEN, put_blob(c, FROM_FILE, call, err))                                            \
    X(blob_put_told_later, OPEN, put_blob(c, TOLD_LATER, call, err))                                         \
    X(blob_mount, OPEN, berth_blob_mount(c, "a", ABC, "b", call, err))                                       \
    X(upload_open, OPEN, berth_upload_open(c, "a", call, err))                                               \
    X(upload_status, OPEN, berth_upload_status(c, "a", "/up?x=y", call, err))                                \
    X(upload_append, OPEN, berth_upload_append(c, "a", "/up?x=y", 0, &three, call, err))                     \
    X(upload_close, OPEN, berth_upload_close(c, "a", "/up?x=y", ABC, &three, call, err))                     \
    X(upload_cancel, OPEN, berth_upload_cancel(c, "a", "/up?x=y", err))                                      \
    X(request, BY_TOKEN, ask(c, "/v2/<name>/manifests/<reference>", call, err))                              \
    X(request_to_a_session, OPEN,                                                                            \
      ask(c, "/v2/<name>/blobs/uploads/<session_id>?digest=<digest>", call, err))                            \
    X(request_that_is_redirected, OPEN, ask(c, "/far", call, err))                                           \
    X(request_that_is_refused, OPEN, ask(c, "/odd", call, err))                                              \
    X(content, OPEN, through_content(c, err))                                                                \
    X(credentials_store, NO_CLIENT, in_config("file", "other.example", true, err))                           \
    X(credentials_erase, NO_CLIENT, in_config("file", "other.example", false, err))                          \
    X(credentials_store_with_a_helper, NO_CLIENT, in_config("helper", "other.example", true, err))           \
    X(credentials_erase_with_a_helper, NO_CLIENT, in_config("helper", "other.example", false, err))          \
    X(reference, NO_CLIENT, parse_reference("registry.example/a:v1@" ABC, "v2", err))                        \
    X(reference_with_defaults, NO_CLIENT, parse_reference("alpine", NULL, err))                              \
    X(hasher, NO_CLIENT, hash(err))                                                                          \
    X(image, NO_CLIENT, parse_manifest(IMAGE, NULL, err))                                                    \
    X(index, NO_CLIENT, parse_manifest(CHILDREN, BERTH_TYPE_OCI_INDEX, err))                                 \
    X(schema1, NO_CLIENT, parse_manifest(SCHEMA1, BERTH_TYPE_DOCKER_SCHEMA1, err))                           \
    X(config, NO_CLIENT, parse_config(err))                                                                  \
    X(platform, NO_CLIENT, parse_platform(err))                                                              \
    X(layout_file, NO_CLIENT, berth_layout_file_check("{\"imageLayoutVersion\":\"1.0.0\"}", 30, err))        \
    X(builder_of_an_image, NO_CLIENT, build_image(err))                                                      \
    X(builder_of_an_index, NO_CLIENT, build_index(err))                                                      \
    X(layout, NO_CLIENT, layout(err))                                                                        \
    X(layout_of_the_library, NO_CLIENT, layout_of_the_library(err))

#define DEFINE(name, door, what)                                                                             \
    static int op_##name(berth_client *c, berth_call **call, berth_error *err)                               \
    {                                                                                                        \
        (void)c;                                                                                             \
        (void)call;                                                                                          \
        return what;                                                                                         \
    }
OPERATIONS(DEFINE)

static const struct operation_row {
    const char *name;
    enum door door;
    int (*run)(berth_client *c, berth_call **call, berth_error *err);
} rows[] = {
#define ROW(name, door, what) {#name, door, op_##name},
    OPERATIONS(ROW)
#undef ROW
};

/* --- the loop --- */

static size_t descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Fails the @n-th call of a row; false: there was none. */
static bool run_failing(const struct operation_row *row, unsigned n)
{
    berth_client *c = NULL;
    berth_call *call = NULL;
    if (row->door != NO_CLIENT)
        CHECK_OK(open_client(row->door, &c, &test_err));
    berth_error err = BERTH_ERROR_INIT;
    fault_arm(n);
    int r = row->run(c, &call, &err);
    bool fired = fault_disarm();
    berth_call_free(call);
    call = NULL;
    if (!fired && r != BERTH_OK)
        fail_msg("%s: %d %s", row->name, r, err.message);
    if (r != BERTH_OK && (err.code != r || !err.message[0] || r == BERTH_E_NETWORK || r == BERTH_E_TOO_BIG))
        fail_msg("%s, call %u: %d, but the error is %d '%s'", row->name, n, r, err.code, err.message);
    r = row->run(c, &call, &err); /* and nothing is left of it */
    berth_call_free(call);
    if (r != BERTH_OK)
        fail_msg("%s, after call %u failed: %d %s", row->name, n, r, err.message);
    berth_client_free(c);
    return fired;
}

static void test_fault_client__any_call_may_fail(void **state)
{
    const struct operation_row *row = *state;
    CHECK(!run_failing(row, 100000)); /* also loads what is loaded once */
    size_t before = descriptors();
    unsigned long taken = allocator_counts.taken, left = allocator_left();
    unsigned n = 1;
    while (run_failing(row, n))
        n++;
    CHECK(n > 1 || row->run == op_layout_file);
    assert_int_equal(descriptors(), before);
    assert_int_equal(allocator_left(), left);
    CHECK(allocator_counts.taken > taken || row->run == op_layout_file);
}

/* --- the registry, and files --- */

static void begin(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server.listener >= 0 && bind(server.listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(listen(server.listener, 64) == 0 &&
          getsockname(server.listener, (struct sockaddr *)&a, &size) == 0);
    server.port = ntohs(a.sin_port);
    snprintf(server.host, sizeof(server.host), "127.0.0.1:%d", server.port);
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
        serve_for_ever();
}

static void files(void)
{
    char text[256];
    helpers_begin(NULL);
    file_write("source", "abc", 0600);
    file_write("helper.json", "{\"credsStore\":\"keep\"}", 0600);
    snprintf(text, sizeof(text), "{\"auths\":{\"%s\":{\"auth\":\"YWxpY2U6c2VjcmV0\"}}}", server.host);
    file_write("file.json", text, 0600);
    CHECK_OK(in_config("helper", server.host, true, &test_err));
}

static int prepare(void **state)
{
    (void)state;
    begin();
    files();
    return 0;
}

static int end(void **state)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(server.listener);
    return helpers_end(state);
}

/* One row alone: test-fault-client NAME, or a pattern. */
int main(int argc, char **argv)
{
    static struct CMUnitTest tests[COUNT(rows)];
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    CHECK_OK(berth_allocator_set(&allocator, &test_err));
    calls_of_libcurl();
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct operation_row *row = &rows[i];
        tests[i].name = row->name;
        tests[i].test_func = test_fault_client__any_call_may_fail;
        memcpy(&tests[i].initial_state, &row, sizeof(row));
    }
    return cmocka_run_group_tests(tests, prepare, end);
}
