/* cli/request.c - `berth request METHOD PATH`: any request of the API, by template, and its answer as it is.
 */
#include <berth/request.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "cli/target.h"
#include "util/mask.h"

#define REGISTRY "localhost:5000" /* where `berth serve` listens */

struct options {
    struct remote remote;
    const char *registry, *name, *reference, *digest, *session_id, *data, *file;
    struct cli_words headers, query;
    bool include, no_follow;
};

static const struct cli_option options[] = {
    {.name = "registry",
     .kind = CLI_TEXT,
     .value = "HOST",
     .at = offsetof(struct options, registry),
     .help = "whom to ask (that of a PATH which is a URL, BERTH_DEFAULT_REGISTRY, or " REGISTRY ")"},
    {.name = "name",
     .kind = CLI_TEXT,
     .value = "NAME",
     .at = offsetof(struct options, name),
     .help = "the repository: fills <name>"},
    {.name = "reference",
     .kind = CLI_TEXT,
     .value = "REFERENCE",
     .at = offsetof(struct options, reference),
     .help = "a tag or a digest: fills <reference>"},
    {.name = "digest",
     .kind = CLI_TEXT,
     .value = "DIGEST",
     .at = offsetof(struct options, digest),
     .help = "fills <digest>"},
    {.name = "session-id",
     .kind = CLI_TEXT,
     .value = "ID",
     .at = offsetof(struct options, session_id),
     .help = "an upload: fills <session_id>"},
    {.name = "header",
     .letter = 'H',
     .kind = CLI_WORDS,
     .value = "'NAME: VALUE'",
     .at = offsetof(struct options, headers),
     .help = "a header to send; may be given again"},
    {.name = "query",
     .kind = CLI_WORDS,
     .value = "NAME=VALUE",
     .at = offsetof(struct options, query),
     .help = "a parameter behind the path, to be encoded; may be given again"},
    {.name = "data",
     .letter = 'd',
     .kind = CLI_TEXT,
     .value = "TEXT|@FILE|@-",
     .at = offsetof(struct options, data),
     .help = "the body: the text itself, a file's content, or standard input's"},
    {.name = "to",
     .letter = 'o',
     .kind = CLI_FILE,
     .value = "FILE",
     .at = offsetof(struct options, file),
     .help = "where the body of a good answer goes; - is standard output (-)"},
    {.name = "include",
     .letter = 'i',
     .kind = CLI_FLAG,
     .at = offsetof(struct options, include),
     .help = "print the answer's status and headers before its body, as for HEAD"},
    {.name = "no-follow",
     .kind = CLI_FLAG,
     .at = offsetof(struct options, no_follow),
     .help = "take a redirection for an answer"},
    {0},
};

/* --- the request --- */

/* "http://localhost:5000/v2/": the part before the path. */
static const char *host_of(const char *path, berth_arena *arena)
{
    const char *from = strstr(path, "://");
    bool whole = str_starts(str_from(path), STR("http://")) || str_starts(str_from(path), STR("https://"));
    return whole ? berth_arena_dup(arena,
                                   (berth_str){path, (size_t)(from + 3 - path) + strcspn(from + 3, "/?")})
                 : NULL;
}

static int open_client(const struct cli_command *c, struct options *o)
{
    struct remote *r = &o->remote;
    berth_error err = BERTH_ERROR_INIT;
    const char *path = r->base.operands[1];
    if (mask_find(str_from(path)).n)
        return cli_usage(c->name, "'%s': nothing stands before a host; a name and a password are options",
                         path);
    r->host = o->registry ? o->registry : host_of(path, &r->base.arena);
    if (!r->host)
        r->host = r->env.registry ? r->env.registry : REGISTRY;
    return remote_client(r, r->host, &r->client, &err) == BERTH_OK ? -1 : remote_refuse(c, &err);
}

static int add_words(const struct cli_command *c, const struct options *o, berth_request *q,
                     berth_arena *arena)
{
    berth_str name, value;
    for (size_t i = 0; i < o->headers.n; i++) {
        if (!str_cut(str_from(o->headers.p[i]), ':', &name, &value))
            return cli_usage(c->name, "--header is 'NAME: VALUE', not '%s'", o->headers.p[i]);
        berth_request_add_header(q, berth_arena_dup(arena, name), berth_arena_dup(arena, str_trim(value)));
    }
    for (size_t i = 0; i < o->query.n; i++) {
        if (!str_cut(str_from(o->query.p[i]), '=', &name, &value))
            return cli_usage(c->name, "--query is NAME=VALUE, not '%s'", o->query.p[i]);
        berth_request_add_query(q, berth_arena_dup(arena, name), berth_arena_dup(arena, value));
    }
    return -1;
}

static int open_body(const char *file, int *ret_fd, berth_error *err)
{
    struct stat st;
    *ret_fd = open(file, O_RDONLY | O_CLOEXEC);
    int e = *ret_fd < 0 || fstat(*ret_fd, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
    return e ? berth_error_set(err, e == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "opening '%s': %s", file,
                               strerror(e))
             : BERTH_OK;
}

static int set_body(const struct cli_command *c, const struct remote *r, const char *data, berth_request *q,
                    int *fd)
{
    berth_error err = BERTH_ERROR_INIT;
    if (!data)
        return -1;
    if (data[0] != '@') {
        berth_request_set_body(q, data, strlen(data));
        return -1;
    }
    bool from_input = strcmp(data, "@-") == 0;
    int rc = remote_check_file(c, r, data + 1);
    if (rc >= 0)
        return rc;
    if (!from_input && open_body(data + 1, fd, &err) != BERTH_OK)
        return remote_fail(c, &err);
    berth_source source = BERTH_SOURCE_FD(from_input ? STDIN_FILENO : *fd);
    berth_request_set_source(q, &source);
    return -1;
}

static void in_capitals(char *word)
{
    for (; *word; word++)
        if (*word >= 'a' && *word <= 'z')
            *word = (char)(*word - 'a' + 'A');
}

/* *@ret_request is the caller's also when it is not complete. */
static int make_request(const struct cli_command *c, struct options *o, int *body_fd,
                        berth_request **ret_request)
{
    berth_arena *arena = &o->remote.base.arena;
    berth_error err = BERTH_ERROR_INIT;
    char *method = berth_arena_dup(arena, str_from(o->remote.base.operands[0]));
    if (method)
        in_capitals(method);
    int r = berth_request_new(o->remote.client, method, o->remote.base.operands[1], ret_request, &err);
    if (r != BERTH_OK)
        return cli_usage(c->name, "%s", err.message);
    berth_request *q = *ret_request;
    berth_request_set_name(q, o->name);
    berth_request_set_reference(q, o->reference);
    berth_request_set_digest(q, o->digest);
    berth_request_set_session_id(q, o->session_id);
    berth_request_set_redirects(q, !o->no_follow);
    int rc = add_words(c, o, q, arena);
    if (rc < 0)
        rc = set_body(c, &o->remote, o->data, q, body_fd);
    CLEANUP(freep) char *url = NULL;
    if (rc < 0 && berth_request_url(q, &url, &err) != BERTH_OK)
        return cli_usage(c->name, "%s", err.message);
    return rc;
}

/* --- the answer --- */

static void print_head(const berth_response *a)
{
    const char *name = NULL, *value;
    printf("HTTP %d\n", berth_response_status(a));
    for (size_t i = 0; (value = berth_response_header_at(a, i, &name)); i++) {
        printf("%s: ", name);
        for (const char *p = value; *p; p++) /* nothing in it shall act on a terminal */
            putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
        printf("\n");
    }
    printf("\n");
}

/* As JSON where it is that, else as text where it is UTF-8, else nothing. */
static json_t *body_document(const berth_response *a)
{
    size_t n;
    const char *p = berth_response_body(a, &n);
    json_t *j = n ? json_loadb(p, n, JSON_DECODE_ANY, NULL) : json_null();
    if (!j)
        j = json_stringn(p, n);
    return j ? j : json_null();
}

static json_t *errors_document(const berth_response *a)
{
    const berth_response_error *errors;
    size_t n = 0;
    json_t *list = json_array();
    if (berth_response_errors(a, &errors, &n, NULL) != BERTH_OK)
        return list;
    for (size_t i = 0; i < n; i++) {
        json_t *detail = json_loads(errors[i].detail, JSON_DECODE_ANY, NULL);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "code", errors[i].code, "message",
                                              errors[i].message, "detail", detail ? detail : json_null()));
    }
    return list;
}

static json_t *document(const berth_request *q, const berth_response *a)
{
    const char *name = NULL, *value;
    CLEANUP(freep) char *url = NULL;
    if (berth_request_url(q, &url, NULL) != BERTH_OK)
        return NULL;
    json_t *headers = json_array();
    for (size_t i = 0; (value = berth_response_header_at(a, i, &name));
         i++) /* foreign bytes may be no UTF-8 */
        json_array_append_new(headers, json_pack("{s:s, s:o?}", "name", name, "value", json_string(value)));
    return json_pack("{s:s, s:s, s:i, s:o, s:s?, s:s?, s:o, s:o}", "method", berth_request_method(q), "url",
                     url, "status", berth_response_status(a), "headers", headers, "location",
                     berth_response_location(a), "absoluteLocation", berth_response_absolute_location(a),
                     "errors", errors_document(a), "body", body_document(a));
}

/* A refusal is a failure, its kind told by the exit code. */
static int exit_code(int status)
{
    if (status == 401 || status == 403)
        return EXIT_DENIED;
    if (status == 404)
        return EXIT_NOT_FOUND;
    return status < 400 ? EXIT_OK : status == 429 || status == 503 ? EXIT_BUSY : EXIT_FAILED;
}

static void show_body(const berth_response *a)
{
    size_t n;
    const char *p = berth_response_body(a, &n);
    fwrite(p, 1, n, stdout);
    if (n && p[n - 1] != '\n' && isatty(STDOUT_FILENO))
        printf("\n");
}

static int show(const struct cli_command *c, const struct options *o, const berth_request *q,
                const berth_response *a)
{
    int status = berth_response_status(a), rc;
    if (cli_wants_text(&o->remote.base)) {
        if (o->include || strcmp(berth_request_method(q), BERTH_HEAD) == 0)
            print_head(a);
        show_body(a);
        rc = cli_printed(c);
    } else {
        rc = cli_print(c, &o->remote.base, document(q, a));
    }
    if (status >= 400)
        fprintf(stderr, "berth %s: the answer is %d\n", c->name, status);
    return rc == EXIT_OK ? exit_code(status) : rc;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {.remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &o.remote;
    CLEANUP(target_done) struct target t = TARGET_INIT;
    CLEANUP(closep) int body_fd = -1;
    berth_error err = BERTH_ERROR_INIT;
    berth_request *q = NULL;
    berth_call *call = NULL;
    int rc = remote_open(c, argc, argv, r);
    if (rc < 0)
        rc = open_client(c, &o);
    if (rc < 0)
        rc = make_request(c, &o, &body_fd, &q);
    if (rc >= 0) {
        berth_request_free(q);
        return rc;
    }
    bool to_file = o.file && strcmp(o.file, "-") != 0;
    bool streams = to_file || (cli_wants_text(&r->base) && !o.include && !isatty(STDOUT_FILENO));
    int result = streams ? target_open(&t, o.file, false, &err) : BERTH_OK;
    if (streams)
        berth_request_set_sink(q, target_sink, &t);
    if (result == BERTH_OK)
        result = berth_request_send(q, &call, &err);
    if (result == BERTH_OK && streams && berth_response_status(berth_call_response(call)) < 300)
        result = target_finish(&t, &err);
    rc = result == BERTH_OK ? show(c, &o, q, berth_call_response(call))
                            : remote_fail(c, target_error(&t, &err));
    berth_call_free(call);
    berth_request_free(q);
    return rc;
}

const struct cli_command cmd_request = {
    .name = "request",
    .summary = "send any request of the API, and show the answer",
    .operands = "METHOD PATH",
    .text =
        "Sends METHOD to PATH at a registry, and prints the body of the answer. PATH is written as in the "
        "distribution specification, '/v2/<name>/manifests/<reference>', and filled in; or it is a whole "
        "URL, "
        "or a Location of an answer before. What stays unfilled, and an empty part ('//'), is refused.\n\n"
        "Credentials and tokens are seen to as for all commands. Nothing is sent that was not asked for: a "
        "manifest may need an Accept.\n\n"
        "An answer of 400 and more is printed, too, and is a failure: 4 for 404, 7 for 401 and 403, 5 for "
        "429 "
        "and 503, 1 for others.",
    .options = options,
    .fields =
        (const struct cli_field[]){
            {"method", "string", "the method that was sent"},
            {"url", "string", "where to"},
            {"status", "number", "the answer's"},
            {"headers[].name", "string", "the answer's headers, in their order"},
            {"headers[].value", "string", "what they say"},
            {"location", "string", "Location as path and query; null without one"},
            {"absoluteLocation", "string", "the same as a URL"},
            {"errors[].code", "string", "the registry's errors, if the body lists any"},
            {"errors[].message", "string", "for people"},
            {"errors[].detail", "any", "what the registry adds, or null"},
            {"body", "any",
             "JSON if it is that, else text; null if it is neither, or "
             "went to FILE"},
            {0}},
    .examples =
        (const struct cli_example[]){
            {"berth request GET '/v2/<name>/tags/list' --name team/app -v", NULL},
            {"berth request GET '/v2/<name>/manifests/<reference>' --registry registry.example --name "
             "team/app "
             "--reference v1 -H 'Accept: application/vnd.oci.image.index.v1+json'",
             NULL},
            {"berth request POST '/v2/<name>/blobs/uploads/' --name team/app --format '{{.location}}'",
             "begins an upload, and prints where it goes on"},
            {"berth request PUT \"$LOCATION\" --query digest=sha256:… --data @layer.tar.gz", "ends it"},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_NONE,
    .run = run,
};
