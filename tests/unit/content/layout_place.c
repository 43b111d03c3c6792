/* tests/unit/content/layout_place.c */
#include "layout.h"

#include <pthread.h>

#include "content/content.h"

static const berth_descriptor abc = {.media_type = "a/b", .digest = ABC, .size = 3};

static content *open_in(const struct world *w, bool create)
{
    content *c = NULL;
    char path[80];
    snprintf(path, sizeof(path), "%s/layout", w->path);
    CHECK_OK(content_layout_open(path, create, &c, &test_err));
    return c;
}

static int stop(void *arg, const void *p, size_t n)
{
    (void)arg, (void)p, (void)n;
    return 1;
}

static int keep_name(void *arg, const char *name)
{
    berth_buf_addf(arg, "%s ", name);
    return 0;
}

static int keep_descriptor(void *arg, const berth_descriptor *d)
{
    berth_buf_addf(arg, "%s %s;", d->artifact_type, berth_descriptor_annotation(d, "note"));
    return 0;
}

static void test_content_layout_place__gives_back_what_was_put(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    const struct content_source from = {.p = "abc", .fd = -1};
    content *c = open_in(&w, true);
    berth_manifest *one = manifest_of("1", NULL), *two = manifest_of("2", NULL), *have = NULL;
    bool there = true;
    CHECK_OK(c->ops->blob_has(c, ABC, &there, &test_err));
    CHECK(!there);
    CHECK_OK(c->ops->blob_put(c, &abc, &from, &test_err));
    CHECK_OK(c->ops->blob_put(c, &abc, &from, &test_err)); /* is there */
    CHECK_OK(c->ops->blob_has(c, ABC, &there, &test_err));
    CHECK(there);
    CHECK_OK(c->ops->blob_get(c, &abc, keep, &out, &test_err));
    CHECK_STR(berth_buf_str(&out), STR("abc"));
    CHECK_CODE(c->ops->blob_get(c, &abc, stop, NULL, &test_err), BERTH_E_CANCELLED);
    CHECK_OK(c->ops->manifest_put(c, "v1", one, &test_err));
    CHECK_OK(c->ops->manifest_get(c, NULL, &have, &test_err)); /* the only one */
    CHECK_STR(str_from(have->digest), str_from(one->digest));
    berth_manifest_free(have);
    CHECK_OK(c->ops->manifest_put(c, "v2", two, &test_err));
    CHECK_CODE(c->ops->manifest_get(c, NULL, &have, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(c->ops->manifest_get(c, "v3", &have, &test_err), BERTH_E_NOT_FOUND);
    CHECK_OK(c->ops->manifest_get(c, two->digest, &have, &test_err));
    CHECK(have->size == two->size && memcmp(have->data, two->data, two->size) == 0);
    berth_manifest_free(have);
    berth_buf_reset(&out);
    CHECK_OK(c->ops->tags(c, keep_name, &out, &test_err));
    CHECK_STR(berth_buf_str(&out), STR("v1 v2 "));
    content_free(c);
    c = open_in(&w, false); /* and again from the disk */
    CHECK_OK(c->ops->manifest_get(c, "v1", &have, &test_err));
    berth_manifest_free(have);
    berth_manifest_free(one);
    berth_manifest_free(two);
    content_free(c);
    content_free(NULL);
}

static void test_content_layout_place__lists_referrers(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    content *c = open_in(&w, true);
    berth_manifest *subject = manifest_of("s", NULL);
    berth_descriptor d;
    berth_manifest_describe(subject, &d);
    berth_manifest *one = manifest_of("1", &d), *other = manifest_of("2", &abc);
    CHECK_OK(c->ops->manifest_put(c, "s", subject, &test_err));
    CHECK_OK(c->ops->manifest_put(c, one->digest, one, &test_err));
    CHECK_OK(c->ops->manifest_put(c, "again", one, &test_err)); /* told once */
    CHECK_OK(c->ops->manifest_put(c, "other", other, &test_err));
    CHECK_OK(c->ops->referrers(c, d.digest, NULL, keep_descriptor, &out, &test_err));
    CHECK_STR(berth_buf_str(&out), STR("a/b 1;"));
    CHECK_OK(c->ops->referrers(c, d.digest, "x/y", keep_descriptor, &out, &test_err));
    CHECK_STR(berth_buf_str(&out), STR("a/b 1;"));
    berth_manifest_free(subject);
    berth_manifest_free(one);
    berth_manifest_free(other);
    content_free(c);
}

static void write_file(int fd, const char *path, const char *text)
{
    CLEANUP(closep) int file = openat(fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text));
}

static void test_content_layout_place__trusts_no_bytes(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(MIB);
    const struct content_source wrong = {.p = "abd", .fd = -1};
    const berth_descriptor missing = {.media_type = "a/b",
                                      .digest =
                                          "sha256:"
                                          "0000000000000000000000000000000000000000000000000000000000000000",
                                      .size = 1};
    content *c = open_in(&w, true), *none = NULL;
    berth_manifest *m = NULL;
    char path[200];
    CHECK_CODE(c->ops->blob_put(c, &abc, &wrong, &test_err), BERTH_E_DIGEST);
    snprintf(path, sizeof(path), "layout/blobs/sha256/%s", ABC + 7);
    CHECK(!exists(w.base_fd, path));
    write_file(w.base_fd, path, "other");
    CHECK_CODE(c->ops->blob_get(c, &abc, keep, &out, &test_err), BERTH_E_DIGEST);
    CHECK_CODE(c->ops->manifest_get(c, ABC, &m, &test_err), BERTH_E_DIGEST);
    CHECK_CODE(c->ops->blob_get(c, &missing, keep, &out, &test_err), BERTH_E_NOT_FOUND);
    CHECK(unlinkat(w.base_fd, path, 0) == 0 && symlinkat("/etc/passwd", w.base_fd, path) == 0);
    CHECK_CODE(c->ops->blob_get(c, &abc, keep, &out, &test_err), BERTH_E_NOT_FOUND);
    write_file(w.base_fd, "layout/index.json", "{}");
    CHECK_CODE(c->ops->manifest_get(c, "v1", &m, &test_err), BERTH_E_INVALID);
    content_free(c);
    CHECK_CODE(content_layout_open("/nowhere/at/all", false, &none, &test_err), BERTH_E_NOT_FOUND);
    CHECK_CODE(content_layout_open(w.path, false, &none, &test_err), BERTH_E_NOT_FOUND);
    write_file(w.base_fd, "oci-layout", "{\"imageLayoutVersion\":\"9\"}");
    CHECK_CODE(content_layout_open(w.path, false, &none, &test_err), BERTH_E_UNSUPPORTED);
}

struct writer {
    const struct world *w;
    size_t number;
};

/* C147 */
static void *put_ten(void *arg)
{
    const struct writer *writer = arg;
    content *c = open_in(writer->w, true);
    for (int i = 0; i < 10; i++) {
        char tag[40];
        snprintf(tag, sizeof(tag), "t%zu-%d", writer->number, i);
        berth_manifest *m = manifest_of(tag, NULL);
        CHECK_OK(c->ops->manifest_put(c, tag, m, &test_err));
        berth_manifest_free(m);
    }
    content_free(c);
    return NULL;
}

static int count(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
    return 0;
}

static void test_content_layout_place__writers_at_once_lose_nothing(void **state)
{
    (void)state;
    CLEANUP(world_done) struct world w = world_new();
    struct writer writers[3];
    pthread_t threads[COUNT(writers)];
    int n = 0;
    content_free(open_in(&w, true));
    for (size_t i = 0; i < COUNT(threads); i++) {
        writers[i] = (struct writer){&w, i};
        CHECK(pthread_create(&threads[i], NULL, put_ten, &writers[i]) == 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    content *c = open_in(&w, false);
    CHECK_OK(c->ops->tags(c, count, &n, &test_err));
    CHECK(n == 30);
    content_free(c);
}

RUN_TESTS(TEST(test_content_layout_place__gives_back_what_was_put),
          TEST(test_content_layout_place__lists_referrers), TEST(test_content_layout_place__trusts_no_bytes),
          TEST(test_content_layout_place__writers_at_once_lose_nothing))
