/* tests/unit/oci/image_builder.c */
#include "test.h"

#include <berth/config.h>
#include <berth/digest.h>

#include "util/fault.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D1    "sha256:" HEX64
#define D2    "sha512:" HEX64 HEX64

static const berth_descriptor config = {.media_type = BERTH_TYPE_OCI_CONFIG, .digest = D1, .size = 2};

static berth_manifest *finish(const berth_builder *b)
{
    berth_manifest *m = NULL;
    CHECK_OK(berth_builder_finish(b, &m, &test_err));
    return m;
}

static berth_builder *builder(const char *type)
{
    berth_builder *b = NULL;
    CHECK_OK(berth_builder_new(type, &b, &test_err));
    return b;
}

/* C194: nothing is printed for what is absent. */
static void test_oci_image_builder__prints_what_is_there_and_no_more(void **state)
{
    (void)state;
    static const berth_annotation notes[] = {{"b", "1"}, {"a", "\"\n"}};
    static const char *const urls[] = {"https://example.com/x"};
    const berth_descriptor plain = {.media_type = "a/b", .digest = D1, .size = 3};
    const berth_descriptor full = {.media_type = "a/b",
                                   .digest = D2,
                                   .size = INT64_MAX,
                                   .artifact_type = "x/y",
                                   .annotations = notes,
                                   .n_annotations = 2,
                                   .urls = urls,
                                   .n_urls = 1,
                                   .data = "abc",
                                   .n_data = 3};
    berth_builder *b = builder(BERTH_TYPE_OCI_MANIFEST);
    CHECK_OK(berth_builder_set_annotation(b, "k", "v", &test_err));
    CHECK_OK(berth_builder_add_layer(b, &plain, &test_err));
    CHECK_OK(berth_builder_add_layer(b, &full, &test_err));
    CHECK_OK(berth_builder_set_config(b, &config, &test_err));
    berth_manifest *m = finish(b);
    CHECK_STR(str_from(m->data),
              STR("{\"schemaVersion\":2,\"mediaType\":\"" BERTH_TYPE_OCI_MANIFEST
                  "\",\"config\":{\"mediaType\":\"" BERTH_TYPE_OCI_CONFIG "\",\"digest\":\"" D1
                  "\",\"size\":2},\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"" D1
                  "\",\"size\":3},{\"mediaType\":\"a/b\",\"digest\":\"" D2
                  "\",\"size\":9223372036854775807,\"data\":\"YWJj\",\"urls\":[\"https://example.com/x\"],"
                  "\"annotations\":{\"b\":\"1\",\"a\":\"\\\"\\n\"},\"artifactType\":\"x/y\"}],"
                  "\"annotations\":{\"k\":\"v\"}}"));
    berth_manifest_free(m);
    berth_builder_free(b);
    berth_builder_free(NULL);
}

/* C109: after each edit bytes, digest, type and fields agree, and what others wrote stays. */
static void test_oci_image_builder__keeps_bytes_digest_and_type_in_step(void **state)
{
    (void)state;
    static const char text[] =
        "{\"manifests\":[{\"mediaType\":\"" BERTH_TYPE_DOCKER_MANIFEST "\",\"digest\":\"" D1
        "\",\"size\":7,\"custom\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\","
        "\"variant\":\"v7\",\"features\":[\"f\"],\"other\":null}}],\"extra\":[1],"
        "\"schemaVersion\":2}";
    berth_manifest *m = NULL;
    berth_builder *b = NULL;
    CHECK_OK(berth_manifest_parse(text, strlen(text), BERTH_TYPE_DOCKER_LIST, &m, &test_err));
    CHECK_OK(berth_builder_from(m, &b, &test_err));
    berth_manifest_free(m);
    const berth_descriptor more = {.media_type = BERTH_TYPE_DOCKER_MANIFEST, .digest = D2, .size = 1};
    CHECK_OK(berth_builder_add_manifest(b, &more, &test_err));
    m = finish(b);
    CHECK_STR(str_from(m->data),
              STR("{\"schemaVersion\":2,\"mediaType\":\"" BERTH_TYPE_DOCKER_LIST
                  "\",\"manifests\":[{\"mediaType\":\"" BERTH_TYPE_DOCKER_MANIFEST "\",\"digest\":\"" D1
                  "\",\"size\":7,\"custom\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\","
                  "\"variant\":\"v7\",\"features\":[\"f\"],\"other\":null}},{\"mediaType\":\"" //
                  BERTH_TYPE_DOCKER_MANIFEST "\",\"digest\":\"" D2 "\",\"size\":1}],\"extra\":[1]}"));
    berth_digest want;
    CHECK_OK(berth_digest_of(BERTH_DIGEST_SHA256, m->data, m->size, &want, &test_err));
    CHECK_STR(str_from(m->digest), str_from(want.text));
    CHECK_STR(str_from(m->media_type), STR(BERTH_TYPE_DOCKER_LIST));
    CHECK(m->n_manifests == 2);
    berth_manifest_free(m);
    berth_builder_free(b);
}

static void test_oci_image_builder__removes_by_digest_and_platform(void **state)
{
    (void)state;
    static const berth_platform arm = {.os = "linux", .architecture = "arm64", .variant = "v8"},
                                amd = {.os = "linux", .architecture = "amd64"};
    berth_descriptor d = {.media_type = BERTH_TYPE_OCI_MANIFEST, .digest = D1, .size = 1, .platform = &arm};
    berth_builder *b = builder(BERTH_TYPE_OCI_INDEX);
    CHECK_OK(berth_builder_add_manifest(b, &d, &test_err));
    d.size = 2;
    CHECK_OK(berth_builder_add_manifest(b, &d, &test_err)); /* takes the place of the first */
    d.platform = &amd;
    CHECK_OK(berth_builder_add_manifest(b, &d, &test_err));
    d.digest = D2;
    d.platform = NULL;
    CHECK_OK(berth_builder_add_manifest(b, &d, &test_err));
    berth_manifest *m = finish(b);
    CHECK(m->n_manifests == 3 && m->manifests[0].size == 2 && !m->manifests[2].platform);
    CHECK_STR(str_from(m->manifests[0].platform->variant), STR("v8"));
    berth_manifest_free(m);
    CHECK(berth_builder_remove(b, D2, &arm) == 0 && berth_builder_remove(b, NULL, &arm) == 1);
    CHECK(berth_builder_remove(b, D1, NULL) == 1 && berth_builder_remove(b, NULL, NULL) == 1);
    m = finish(b);
    CHECK(m->n_manifests == 0);
    berth_manifest_free(m);
    berth_builder_free(b);
}

/* C110, C111: several images become one index, each with the platform of its config. */
static void test_oci_image_builder__merges_images_into_one_index(void **state)
{
    (void)state;
    static const char arm[] = "{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\","
                              "\"os.features\":[\"f\"],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    static const char list[] = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" BERTH_TYPE_OCI_MANIFEST
                               "\",\"digest\":\"" D1 "\",\"size\":7}]}";
    berth_builder *single = builder(BERTH_TYPE_OCI_MANIFEST), *b = builder(BERTH_TYPE_OCI_INDEX),
                  *docker = builder(BERTH_TYPE_DOCKER_LIST);
    berth_config *c = NULL;
    berth_manifest *index = NULL;
    CHECK_OK(berth_builder_set_config(single, &config, &test_err));
    CHECK_OK(berth_config_parse(arm, strlen(arm), &c, &test_err));
    CHECK_OK(berth_manifest_parse(list, strlen(list), NULL, &index, &test_err));
    berth_manifest *image = finish(single);
    CHECK_OK(berth_builder_add_image(b, image, c, &test_err));
    CHECK_OK(berth_builder_add_image(b, index, NULL, &test_err));
    CHECK_OK(berth_builder_add_image(b, index, NULL, &test_err)); /* is there already */
    berth_manifest *m = finish(b);
    CHECK(m->n_manifests == 2 && strcmp(m->manifests[0].digest, image->digest) == 0);
    CHECK_STR(str_from(m->manifests[0].platform->architecture), STR("arm64"));
    CHECK(m->manifests[0].platform->n_os_features == 1 && !m->manifests[1].platform);
    CHECK_CODE(berth_builder_add_image(docker, image, c, &test_err), BERTH_E_INVALID);
    CHECK(strstr(test_err.message, "not mixed"));
    const berth_descriptor theirs = {.media_type = BERTH_TYPE_DOCKER_MANIFEST, .digest = D1, .size = 1};
    CHECK_CODE(berth_builder_add_manifest(b, &theirs, &test_err), BERTH_E_INVALID);
    berth_manifest_free(m);
    berth_manifest_free(image);
    berth_manifest_free(index);
    berth_config_free(c);
    berth_builder_free(single);
    berth_builder_free(b);
    berth_builder_free(docker);
}

static void test_oci_image_builder__sets_and_removes_what_is_common(void **state)
{
    (void)state;
    berth_builder *b = builder(BERTH_TYPE_OCI_INDEX);
    CHECK_OK(berth_builder_set_subject(b, &config, &test_err));
    CHECK_OK(berth_builder_set_artifact_type(b, "x/y", &test_err));
    CHECK_OK(berth_builder_set_annotation(b, "a", "1", &test_err));
    CHECK_OK(berth_builder_set_annotation(b, "a", "2", &test_err));
    berth_manifest *m = finish(b);
    CHECK(m->subject && m->n_annotations == 1);
    CHECK_STR(str_from(m->artifact_type), STR("x/y"));
    CHECK_STR(str_from(berth_manifest_annotation(m, "a")), STR("2"));
    berth_manifest_free(m);
    CHECK_OK(berth_builder_set_subject(b, NULL, &test_err));
    CHECK_OK(berth_builder_set_artifact_type(b, NULL, &test_err));
    CHECK_OK(berth_builder_set_annotation(b, "a", NULL, &test_err));
    CHECK_OK(berth_builder_set_annotation(b, "never there", NULL, &test_err));
    m = finish(b);
    CHECK_STR(str_from(m->data),
              STR("{\"schemaVersion\":2,\"mediaType\":\"" BERTH_TYPE_OCI_INDEX "\",\"manifests\":[]}"));
    berth_manifest_free(m);
    berth_builder_free(b);
}

static void test_oci_image_builder__refuses_what_makes_no_sense(void **state)
{
    (void)state;
    berth_builder *image = builder(BERTH_TYPE_OCI_MANIFEST), *index = builder(BERTH_TYPE_OCI_INDEX),
                  *docker = builder(BERTH_TYPE_DOCKER_MANIFEST), *none = NULL;
    const berth_descriptor bad[] = {
        {.media_type = "a/b", .digest = "sha256:1", .size = 1},
        {.media_type = "a/b", .size = 1},
        {.digest = D1, .size = 1},
        {.media_type = "a/b", .digest = D1, .size = BERTH_SIZE_UNKNOWN},
        {.media_type = "a\xff/b", .digest = D1, .size = 1},
    };
    berth_manifest *m = NULL;
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK_ROW(i, berth_builder_add_layer(image, &bad[i], &test_err) == BERTH_E_INVALID);
    CHECK_CODE(berth_builder_add_layer(index, &config, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_set_config(index, &config, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_add_manifest(image, &config, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_set_subject(docker, &config, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_set_annotation(docker, "a", "b", &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_set_annotation(image, "", "b", &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_set_annotation(image, "a", "\xff", &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_set_artifact_type(image, "no type", &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_finish(image, &m, &test_err), BERTH_E_INVALID); /* it has no config */
    CHECK_CODE(berth_builder_new("text/html", &none, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_new(NULL, &none, &test_err), BERTH_E_INVALID);
    CHECK_CODE(berth_builder_new(BERTH_TYPE_DOCKER_SCHEMA1, &none, &test_err), BERTH_E_INVALID);
    CHECK_OK(berth_manifest_parse("{\"schemaVersion\":1}", 19, NULL, &m, &test_err));
    CHECK_CODE(berth_builder_from(m, &none, &test_err), BERTH_E_UNSUPPORTED);
    CHECK(!none);
    berth_manifest_free(m);
    berth_builder_free(image);
    berth_builder_free(index);
    berth_builder_free(docker);
}

static int build(berth_manifest **ret)
{
    static const berth_platform p = {.os = "linux", .architecture = "amd64"};
    const berth_descriptor d = {.media_type = BERTH_TYPE_OCI_MANIFEST, .digest = D1, .platform = &p};
    berth_builder *b = NULL;
    int r = berth_builder_new(BERTH_TYPE_OCI_INDEX, &b, &test_err);
    if (r == BERTH_OK)
        r = berth_builder_add_manifest(b, &d, &test_err);
    if (r == BERTH_OK)
        r = berth_builder_finish(b, ret, &test_err);
    berth_builder_free(b);
    return r;
}

static void test_oci_image_builder__survives_each_lack_of_memory(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        berth_manifest *m = NULL;
        fault_arm(n);
        int r = build(&m);
        bool fired = fault_disarm();
        CHECK(r == BERTH_OK ? m != NULL : r == BERTH_E_NOMEM && !m);
        berth_manifest_free(m);
        if (!fired)
            break;
    }
}

RUN_TESTS(TEST(test_oci_image_builder__prints_what_is_there_and_no_more),
          TEST(test_oci_image_builder__keeps_bytes_digest_and_type_in_step),
          TEST(test_oci_image_builder__removes_by_digest_and_platform),
          TEST(test_oci_image_builder__merges_images_into_one_index),
          TEST(test_oci_image_builder__sets_and_removes_what_is_common),
          TEST(test_oci_image_builder__refuses_what_makes_no_sense),
          TEST(test_oci_image_builder__survives_each_lack_of_memory))
