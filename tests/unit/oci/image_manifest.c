/* tests/unit/oci/image_manifest.c */
#include "test.h"

#include <berth/digest.h>
#include <berth/manifest.h>

#include "util/fault.h"

#define HEX64      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D1         "sha256:" HEX64
#define D2         "sha512:" HEX64 HEX64
#define DESC(t, d) "{\"mediaType\":\"" t "\",\"digest\":\"" d "\",\"size\":7}"
#define CONFIG     "\"config\":" DESC("application/vnd.other.config+json", D1)
#define V2         "\"schemaVersion\":2,"
#define IMAGE      "{ " V2 CONFIG ",\"layers\":[" DESC(BERTH_TYPE_OCI_LAYER_GZIP, D2) "]}\n"
#define PLATFORM(d, p)                                                                                       \
    "{\"mediaType\":\"" BERTH_TYPE_OCI_MANIFEST "\",\"digest\":\"" d "\",\"size\":7,\"platform\":{" p "}}"

static berth_manifest *parse(const char *text, const char *type)
{
    berth_manifest *m = NULL;
    CHECK_OK(berth_manifest_parse(text, strlen(text), type, &m, &test_err));
    return m;
}

static void test_oci_image_manifest__keeps_bytes_and_reads_each_field(void **state)
{
    (void)state;
    static const char text[] =
        "{" V2 "\"mediaType\":\"" BERTH_TYPE_OCI_MANIFEST "\",\"artifactType\":\"x/y\"," CONFIG
        ",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"" D2 "\",\"size\":3,\"data\":\"YWJj\","
        "\"urls\":[\"https://example.com/"
        "a\"],\"annotations\":{\"z\":\"1\",\"a\":\"\"},\"custom\":[1.5,null]}],"
        "\"subject\":" DESC(BERTH_TYPE_OCI_INDEX, D1) ",\"annotations\":{\"k\":\"v\"},\"custom\":{}}  ";
    berth_manifest *m = parse(text, BERTH_TYPE_DOCKER_LIST); /* the body decides */
    CHECK(m->kind == BERTH_KIND_IMAGE && m->size == strlen(text) && memcmp(m->data, text, m->size + 1) == 0);
    CHECK_STR(str_from(m->media_type), STR(BERTH_TYPE_OCI_MANIFEST));
    CHECK_STR(str_from(m->artifact_type), STR("x/y"));
    CHECK_STR(str_from(m->config->media_type), STR("application/vnd.other.config+json"));
    CHECK(m->n_layers == 1 && m->n_manifests == 0 && !m->schema1);
    const berth_descriptor *d = m->layers;
    CHECK_STR(str_from(d->digest), STR(D2));
    CHECK(d->size == 3 && d->n_data == 3 && memcmp(d->data, "abc", 3) == 0 && d->n_urls == 1);
    CHECK_STR(str_from(d->urls[0]), STR("https://example.com/a"));
    CHECK(d->n_annotations == 2);
    CHECK_STR(str_from(d->annotations[0].key), STR("z")); /* in the document's order */
    CHECK_STR(str_from(berth_descriptor_annotation(d, "a")), STR(""));
    CHECK(!berth_descriptor_annotation(d, "k") && !d->platform && !d->artifact_type);
    CHECK_STR(str_from(m->subject->media_type), STR(BERTH_TYPE_OCI_INDEX));
    CHECK_STR(str_from(berth_manifest_annotation(m, "k")), STR("v"));
    CHECK(!berth_manifest_annotation(m, "z"));
    berth_digest want;
    CHECK_OK(berth_digest_of(BERTH_DIGEST_SHA256, text, strlen(text), &want, &test_err));
    CHECK_STR(str_from(m->digest), str_from(want.text));
    berth_descriptor self;
    berth_manifest_describe(m, &self);
    CHECK(self.size == m->size && strcmp(self.digest, m->digest) == 0 &&
          strcmp(self.artifact_type, "x/y") == 0);
    berth_manifest_free(m);
    berth_manifest_free(NULL);
}

/* C084, C085, C221 */
static void test_oci_image_manifest__takes_the_type_from_the_body_then_from_the_header(void **state)
{
    (void)state;
    static const struct {
        const char *text, *header, *type;
        berth_manifest_kind kind;
    } rows[] = {
        {"{" V2 "\"mediaType\":\"" BERTH_TYPE_OCI_INDEX "\",\"manifests\":[]}", BERTH_TYPE_DOCKER_LIST,
         BERTH_TYPE_OCI_INDEX, BERTH_KIND_INDEX},
        {"{" V2 "\"manifests\":[]}", BERTH_TYPE_DOCKER_LIST "; charset=utf-8", BERTH_TYPE_DOCKER_LIST,
         BERTH_KIND_INDEX},
        {"{" V2 "\"manifests\":[]}", NULL, BERTH_TYPE_OCI_INDEX, BERTH_KIND_INDEX},
        {IMAGE, "application/json", BERTH_TYPE_OCI_MANIFEST, BERTH_KIND_IMAGE},
        {IMAGE, BERTH_TYPE_DOCKER_MANIFEST, BERTH_TYPE_DOCKER_MANIFEST, BERTH_KIND_IMAGE},
        {"{\"schemaVersion\":1}", "application/json", BERTH_TYPE_DOCKER_SCHEMA1, BERTH_KIND_SCHEMA1},
        {"{\"schemaVersion\":1,\"signatures\":[{}]}", NULL, BERTH_TYPE_DOCKER_SCHEMA1_JWS,
         BERTH_KIND_SCHEMA1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_manifest *m = parse(rows[i].text, rows[i].header);
        CHECK_ROW(i, m->kind == rows[i].kind);
        CHECK_STR_ROW(i, str_from(m->media_type), str_from(rows[i].type));
        berth_manifest_free(m);
    }
}

static void test_oci_image_manifest__tells_kinds_by_media_type(void **state)
{
    (void)state;
    CHECK(berth_media_type_kind(BERTH_TYPE_OCI_INDEX) == BERTH_KIND_INDEX);
    CHECK(berth_media_type_kind(BERTH_TYPE_DOCKER_LIST "; x=y") == BERTH_KIND_INDEX);
    CHECK(berth_media_type_kind(BERTH_TYPE_DOCKER_MANIFEST) == BERTH_KIND_IMAGE);
    CHECK(berth_media_type_kind(BERTH_TYPE_DOCKER_SCHEMA1_JWS) == BERTH_KIND_SCHEMA1);
    CHECK(berth_media_type_kind("text/html") == BERTH_KIND_NONE &&
          berth_media_type_kind(NULL) == BERTH_KIND_NONE);
    CHECK(berth_media_type_is_docker(BERTH_TYPE_DOCKER_LIST) &&
          !berth_media_type_is_docker(BERTH_TYPE_OCI_INDEX));
}

/* C194: variant and features are kept; what is absent is NULL. */
static void test_oci_image_manifest__reads_platforms_and_finds_them(void **state)
{
    (void)state;
    berth_manifest *m = parse(
        "{" V2 "\"manifests\":[" PLATFORM(D1, "\"os\":\"unknown\",\"architecture\":\"unknown\"") "," //
        PLATFORM(D2, "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"") ","             //
        PLATFORM(D1,
                 "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\",\"features\":[\"a\"]") "," //
        PLATFORM(D2, "\"os\":\"linux\",\"architecture\":\"arm\"") ","                                     //
        PLATFORM(
            D1,
            "\"os\":\"windows\",\"architecture\":\"amd64\",\"os.version\":\"10\",\"os.features\":[\"w\"]") //
        "]}",
        NULL);
    static const struct {
        const char *want;
        int found;
    } rows[] = {{"linux/arm/v7", 2},
                {"linux/arm", 3},
                {"linux/arm/v6", 1},
                {"windows/x86_64", 4},
                {"linux/amd64", -1}};
    CHECK(m->n_manifests == 5 && m->manifests[2].platform->n_features == 1);
    CHECK_STR(str_from(m->manifests[1].platform->variant), STR("v6"));
    CHECK_STR(str_from(m->manifests[4].platform->os_features[0]), STR("w"));
    CHECK(!m->manifests[3].platform->variant && !m->manifests[3].platform->os_version);
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_platform *want = NULL;
        CHECK_OK(berth_platform_parse(rows[i].want, &want, &test_err));
        const berth_descriptor *d = berth_manifest_for_platform(m, want);
        CHECK_ROW(i, rows[i].found < 0 ? !d : d == &m->manifests[rows[i].found]);
        berth_platform_free(want);
    }
    berth_manifest_free(m);
}

static void test_oci_image_manifest__reads_schema_1(void **state)
{
    (void)state;
    berth_manifest *m =
        parse("{\"schemaVersion\":1,\"name\":\"a/b\",\"tag\":\"t\",\"architecture\":\"amd64\","
              "\"fsLayers\":[{\"blobSum\":\"" D1 "\"},{\"blobSum\":\"" D2 "\"}],"
              "\"history\":[{\"v1Compatibility\":\"{\\\"id\\\":1}\"},{}],\"signatures\":[{}]}",
              NULL);
    CHECK(m->kind == BERTH_KIND_SCHEMA1 && m->n_layers == 2 && !m->config && m->schema1->is_signed);
    CHECK(m->layers[1].size == BERTH_SIZE_UNKNOWN && !m->layers[1].media_type);
    CHECK_STR(str_from(m->layers[1].digest), STR(D2));
    CHECK_STR(str_from(m->schema1->name), STR("a/b"));
    CHECK(m->schema1->n_history == 2);
    CHECK_STR(str_from(m->schema1->history[0]), STR("{\"id\":1}"));
    CHECK_CODE(berth_manifest_validate(m, &test_err), BERTH_E_INVALID);
    berth_manifest_free(m);
}

static void test_oci_image_manifest__refuses_what_a_reader_can_not_trust(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type;
    } rows[] = {
        {"", NULL},
        {"[]", NULL},
        {"{}", NULL},
        {"{" V2 "}", "text/html"},
        {"{" V2 CONFIG ",\"layers\":[],\"manifests\":[]}", BERTH_TYPE_OCI_MANIFEST},
        {"{" V2 "\"mediaType\":\"text/plain\"," CONFIG "}", BERTH_TYPE_OCI_MANIFEST},
        {"{" V2 CONFIG ",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"sha256:1\",\"size\":1}]}", NULL},
        {"{" V2 CONFIG ",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"" D1
         "\",\"size\":1,\"data\":\"*\"}]}",
         NULL},
        {"{" V2 CONFIG ",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"" D1
         "\",\"size\":1,\"annotations\":{\"a\":1}}]}",
         NULL},
        {"{" V2 "\"manifests\":[" PLATFORM(D1, "\"os.features\":[1]") "]}", NULL},
        {"{\"schemaVersion\":1,\"history\":[{\"v1Compatibility\":1}]}", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_manifest *m = NULL;
        CHECK_ROW(i, berth_manifest_parse(rows[i].text, strlen(rows[i].text), rows[i].type, &m, &test_err) ==
                             BERTH_E_INVALID &&
                         !m && strcmp(test_err.oci_code, "MANIFEST_INVALID") == 0);
    }
}

static void test_oci_image_manifest__survives_each_lack_of_memory(void **state)
{
    (void)state;
    static const char text[] =
        "{" V2 CONFIG ",\"layers\":[" DESC("a/b", D1) "],\"annotations\":{\"a\":\"b\"}}";
    for (unsigned n = 1;; n++) {
        berth_manifest *m = NULL;
        fault_arm(n);
        int r = berth_manifest_parse(text, strlen(text), NULL, &m, &test_err);
        bool fired = fault_disarm();
        CHECK(r == BERTH_OK ? m != NULL : r == BERTH_E_NOMEM && !m);
        berth_manifest_free(m);
        if (!fired)
            break;
    }
}

RUN_TESTS(TEST(test_oci_image_manifest__keeps_bytes_and_reads_each_field),
          TEST(test_oci_image_manifest__takes_the_type_from_the_body_then_from_the_header),
          TEST(test_oci_image_manifest__tells_kinds_by_media_type),
          TEST(test_oci_image_manifest__reads_platforms_and_finds_them),
          TEST(test_oci_image_manifest__reads_schema_1),
          TEST(test_oci_image_manifest__refuses_what_a_reader_can_not_trust),
          TEST(test_oci_image_manifest__survives_each_lack_of_memory))
