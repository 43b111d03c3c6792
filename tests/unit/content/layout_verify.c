/* tests/unit/content/layout_verify.c */
#include "layout.h"

#define NO_ONE "sha256:0000000000000000000000000000000000000000000000000000000000000000"

struct seen {
    berth_buf text;
    int answer;
};

static int keep_problem(void *arg, const char *digest, const berth_error *why)
{
    struct seen *s = arg;
    berth_buf_addf(&s->text, "%.12s %d;", digest ? digest : "index.json", why->code);
    return s->answer;
}

static berth_manifest *index_of(const berth_manifest *m, const char *also)
{
    berth_builder *b = NULL;
    berth_manifest *index = NULL;
    berth_descriptor d = BERTH_DESCRIPTOR_INIT;
    CHECK_OK(berth_builder_new(BERTH_TYPE_OCI_INDEX, &b, &test_err));
    CHECK_OK(berth_builder_add_image(b, m, NULL, &test_err));
    d.media_type = BERTH_TYPE_OCI_MANIFEST;
    d.digest = also;
    d.size = 5;
    if (also)
        CHECK_OK(berth_builder_add_manifest(b, &d, &test_err));
    CHECK_OK(berth_builder_finish(b, &index, &test_err));
    berth_builder_free(b);
    return index;
}

static void test_content_layout_verify__tells_of_each_thing_that_is_wrong_once(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct seen s = {.text = BERTH_BUF_INIT(MIB)};
    berth_layout *l = layout_in(&w, true);
    berth_manifest *m = manifest_of("1", NULL), *index = index_of(m, NULL), *sparse = index_of(m, NO_ONE);
    char want[200];
    CHECK_OK(berth_layout_verify(l, keep_problem, &s, &test_err)); /* empty */
    CHECK_OK(berth_layout_manifest_put(l, NULL, m, &test_err));
    CHECK_OK(berth_layout_manifest_put(l, "v1", index, &test_err));
    CHECK_OK(berth_layout_manifest_put(l, "v2", index, &test_err));
    CHECK_CODE(berth_layout_verify(l, keep_problem, &s, &test_err), BERTH_E_CORRUPT);
    snprintf(want, sizeof(want), "%.12s %d;", ABC, BERTH_E_NOT_FOUND);
    CHECK_STR(berth_buf_str(&s.text), str_from(want));
    put_abc(l);
    berth_buf_reset(&s.text);
    CHECK_OK(berth_layout_verify(l, keep_problem, &s, &test_err));
    CHECK(s.text.n == 0);
    overwrite(&w, ABC, "abd"); /* of the right size */
    CHECK_CODE(berth_layout_verify(l, NULL, NULL, &test_err), BERTH_E_CORRUPT);
    CHECK_CODE(berth_layout_verify(l, keep_problem, &s, NULL), BERTH_E_CORRUPT);
    overwrite(&w, ABC, "abcd");
    CHECK_CODE(berth_layout_verify(l, keep_problem, &s, &test_err), BERTH_E_CORRUPT);
    snprintf(want, sizeof(want), "%.12s %d;%.12s %d;", ABC, BERTH_E_DIGEST, ABC, BERTH_E_DIGEST);
    CHECK_STR(berth_buf_str(&s.text), str_from(want));
    overwrite(&w, ABC, "abc");
    berth_buf_reset(&s.text);
    CHECK_OK(berth_layout_manifest_put(l, "v3", sparse, &test_err));
    CHECK_CODE(berth_layout_verify(l, keep_problem, &s, &test_err), BERTH_E_CORRUPT);
    snprintf(want, sizeof(want), "%.12s %d;", NO_ONE, BERTH_E_NOT_FOUND);
    CHECK_STR(berth_buf_str(&s.text), str_from(want));
    s.answer = 1;
    CHECK_CODE(berth_layout_verify(l, keep_problem, &s, &test_err), BERTH_E_CANCELLED);
    overwrite(&w, m->digest, "{}"); /* a manifest that is none */
    s.answer = 0;
    berth_buf_reset(&s.text);
    CHECK_CODE(berth_layout_verify(l, keep_problem, &s, &test_err), BERTH_E_CORRUPT);
    CHECK(strstr(berth_buf_cstr(&s.text), "-5;"));
    berth_manifest_free(m);
    berth_manifest_free(index);
    berth_manifest_free(sparse);
    berth_buf_done(&s.text);
    berth_layout_free(l);
}

static void test_content_layout_verify__says_that_the_index_is_none(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct seen s = {.text = BERTH_BUF_INIT(MIB)};
    berth_layout *l = layout_in(&w, true);
    CLEANUP(closep) int fd = openat(w.base_fd, "layout/index.json", O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK(write(fd, "{", 1) == 1);
    CHECK_CODE(berth_layout_verify(l, keep_problem, &s, &test_err), BERTH_E_CORRUPT);
    CHECK_STR(berth_buf_str(&s.text), STR("index.json -2;"));
    berth_buf_done(&s.text);
    berth_layout_free(l);
}

RUN_TESTS(TEST(test_content_layout_verify__tells_of_each_thing_that_is_wrong_once),
          TEST(test_content_layout_verify__says_that_the_index_is_none))
