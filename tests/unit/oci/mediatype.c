/* tests/unit/oci/mediatype.c */
#include "test.h"

#include "oci/mediatype.h"

static void test_oci_mediatype__tells_kinds_apart(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        enum manifest_kind kind;
        bool docker;
    } rows[] = {
        {MT_OCI_MANIFEST, MANIFEST_IMAGE, false},
        {MT_OCI_INDEX, MANIFEST_INDEX, false},
        {MT_DOCKER_MANIFEST, MANIFEST_IMAGE, true},
        {MT_DOCKER_LIST, MANIFEST_INDEX, true},
        {MT_DOCKER_SCHEMA1, MANIFEST_SCHEMA1, true},
        {MT_DOCKER_SCHEMA1_JWS, MANIFEST_SCHEMA1, true},
        {"Application/VND.oci.image.manifest.v1+JSON", MANIFEST_IMAGE, false},
        {"application/vnd.oci.artifact.manifest.v1+json", MANIFEST_OTHER, false},
        {MT_OCI_EMPTY, MANIFEST_OTHER, false},
        {"application/json", MANIFEST_OTHER, false},
        {MT_OCI_MANIFEST "; charset=utf-8", MANIFEST_OTHER, false},
        {"", MANIFEST_OTHER, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        berth_str in = str_from(rows[i].in);
        CHECK_ROW(i, mediatype_kind(in) == rows[i].kind);
        CHECK_ROW(i, mediatype_is_docker(in) == rows[i].docker);
        CHECK_ROW(i, (mediatype_canonical(in).n > 0) == (rows[i].kind != MANIFEST_OTHER));
        CHECK_ROW(i, !mediatype_canonical(in).n || str_eq_nocase(mediatype_canonical(in), in));
    }
    CHECK(mediatype_kind(STR_NULL) == MANIFEST_OTHER);
}

static void test_oci_mediatype__drops_parameters(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"text/plain; charset=utf-8", "text/plain"},
        {" text/plain\t;a=b;c=d", "text/plain"},
        {"text/plain", "text/plain"},
        {";a=b", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_STR_ROW(i, mediatype_essence(str_from(rows[i][0])), str_from(rows[i][1]));
}

static void test_oci_mediatype__keeps_to_rfc_6838(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool good;
    } rows[] = {
        {"application/vnd.oci.image.layer.v1.tar+gzip", true},
        {"a/b", true},
        {"A1/b!#$&-^_.+", true},
        {"", false},
        {"a", false},
        {"a/", false},
        {"/b", false},
        {"a/b/c", false},
        {"a/b c", false},
        {"a/.b", false},
        {"+a/b", false},
        {"a/b;c=d", false},
        {"a/\xc3\xa4", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i, mediatype_valid(str_from(rows[i].in)) == rows[i].good);
    char longest[256];
    memset(longest, 'a', sizeof(longest));
    longest[127] = '/';
    CHECK(mediatype_valid((berth_str){longest, 255}));
    CHECK(!mediatype_valid((berth_str){longest, 256}));
}

static void test_oci_mediatype__knows_layers_that_live_elsewhere(void **state)
{
    (void)state;
    CHECK(mediatype_is_foreign(STR("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")));
    CHECK(mediatype_is_foreign(STR("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd")));
    CHECK(!mediatype_is_foreign(STR("application/vnd.oci.image.layer.v1.tar+gzip")));
    CHECK(!mediatype_is_foreign(STR_NULL));
}

RUN_TESTS(TEST(test_oci_mediatype__tells_kinds_apart), TEST(test_oci_mediatype__drops_parameters),
          TEST(test_oci_mediatype__keeps_to_rfc_6838),
          TEST(test_oci_mediatype__knows_layers_that_live_elsewhere))
