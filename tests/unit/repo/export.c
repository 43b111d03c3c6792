/* tests/unit/repo/export.c - a layout holds what its index.json names, whatever failed; and what is there
 * already is not written again. */
#include "backup_fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "oci/layout.h"
#include "util/fault.h"

#ifndef BERTH_FAULT
static void fault_arm(unsigned nth)
{
    (void)nth;
}

static bool fault_disarm(void)
{
    return false;
}
#endif

#define ARTIFACT ",\"artifactType\":\"application/x-sbom\""

/* A layout in the fixture's folder. */
struct target_layout {
    struct fixture *f;
    int fd;
    struct heard heard;
    struct repo_export_result res;
};

static void layout_init(struct fixture *f, struct target_layout *t)
{
    fixture_init(f, FIXTURE_MEMORY);
    *t = (struct target_layout){.f = f};
    t->fd = open(fixture_dir(f), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(t->fd >= 0);
}

static void layout_done(struct target_layout *t)
{
    close(t->fd);
    fixture_done(t->f);
}

static int export_with(struct target_layout *t, const oci_reference *ref, const _Atomic bool *stop)
{
    struct repo_export_options o = {.name = STR(NAME),
                                    .reference = ref,
                                    .dir_fd = t->fd,
                                    .problem = hear,
                                    .arg = &t->heard,
                                    .stop = stop};
    t->heard = (struct heard){.n = 0};
    return repo_export(t->f->r, &o, &t->res, &test_err);
}

static int export_tag(struct target_layout *t, const char *tag)
{
    oci_reference ref = {.tag = str_from(tag)};
    return export_with(t, &ref, NULL);
}

static berth_str file_at(struct target_layout *t, const char *path)
{
    berth_buf text = BERTH_BUF_INIT(MIB);
    if (io_read_file(berth_arena_printf(&t->f->a, "%s/%s", fixture_dir(t->f), path), &text, NULL) != BERTH_OK)
        return STR_NULL;
    berth_str copy = berth_arena_str(&t->f->a, berth_buf_str(&text));
    berth_buf_done(&text);
    return copy;
}

static const char *path_of(struct target_layout *t, const berth_digest *d)
{
    return berth_arena_printf(&t->f->a, "blobs/%s/%s", hash_name(d->algorithm), strchr(d->text, ':') + 1);
}

/* The file is there, with the bytes of its name. */
static bool has(struct target_layout *t, const berth_digest *d)
{
    berth_str body = file_at(t, path_of(t, d));
    berth_digest have;
    if (!body.p)
        return false;
    digest_of(d->algorithm, body.p, body.n, &have);
    return digest_eq(&have, d);
}

/* Everything that @d names is there. */
static bool is_whole(struct target_layout *t, const berth_digest *d)
{
    oci_manifest man;
    berth_str body = file_at(t, path_of(t, d));
    if (!has(t, d) ||
        oci_manifest_parse(body.p, body.n, STR_NULL, NULL, &t->f->a, &man, &test_err) != BERTH_OK)
        return false;
    bool whole = true;
    for (size_t i = 0; i < man.n_blobs; i++)
        whole = whole && has(t, &man.blobs[i].digest);
    for (size_t i = 0; i < man.n_children; i++)
        whole = whole && is_whole(t, &man.children[i].digest);
    return whole;
}

/* "v1 v2 - -": the names in index.json in its order, '-' for none; all of it checked. */
static const char *listed(struct target_layout *t)
{
    berth_str text = file_at(t, "index.json");
    oci_layout_entry *entries;
    size_t n;
    const char *names = "";
    if (!text.p)
        return "none";
    CHECK_OK(oci_layout_index_parse(text.p, text.n, &t->f->a, &entries, &n, &test_err));
    for (size_t i = 0; i < n; i++) {
        CHECK_ROW(i, is_whole(t, &entries[i].descriptor.digest));
        names = berth_arena_printf(&t->f->a, "%s%s" STR_FMT, names, i ? " " : "",
                                   STR_ARG(entries[i].ref_name.n ? entries[i].ref_name : STR("-")));
    }
    return names;
}

static berth_digest push_index(struct fixture *f, const char *reference, const berth_digest *children,
                               size_t n)
{
    struct repo_manifest_stored stored;
    berth_str body = index_text(f, children, n, "");
    berth_digest d = digest_sha256(body);
    CHECK_OK(put_manifest(f, NAME, reference ? reference : d.text, MT_OCI_INDEX, body, &stored, &test_err));
    return d;
}

static berth_digest push_referrer(struct fixture *f, const berth_digest *subject)
{
    struct repo_manifest_stored stored;
    berth_digest config = push_blob(f, NAME, STR("{}"));
    berth_str body = image_text(f, &config, NULL, 0,
                                berth_arena_printf(&f->a,
                                                   ARTIFACT ",\"subject\":{\"mediaType\":\"" MT_OCI_MANIFEST
                                                            "\",\"digest\":\"%s\",\"size\":1}",
                                                   subject->text));
    berth_digest d = digest_sha256(body);
    CHECK_OK(put_manifest(f, NAME, d.text, MT_OCI_MANIFEST, body, &stored, &test_err));
    return d;
}

static void lose_layer(struct fixture *f, unsigned seed, bool damaged)
{
    char key[IO_KEY_SIZE];
    berth_digest d = digest_sha256(fixture_bytes(f, 1000, seed));
    object_key(f, &d, key);
    CHECK(key[0] != '\0');
    if (damaged)
        plant(f->s, key, fixture_bytes(f, 1000, seed + 100), true);
    else
        CHECK_OK(store_remove(f->s, key, &test_err));
}

static void test_repo_export__lists_tags_and_whatever_neither_a_tag_nor_an_index_leads_to(void **state)
{
    (void)state;
    struct fixture f;
    struct target_layout t;
    layout_init(&f, &t);
    berth_digest children[2] = {push_image(&f, NAME, NULL, 1), push_image(&f, NAME, NULL, 2)};
    berth_digest index = push_index(&f, "multi", children, 2);
    push_image(&f, NAME, "v1", 3);
    push_image(&f, NAME, "v2", 3); /* the same one */
    push_image(&f, NAME, NULL, 4);
    push_referrer(&f, &index);
    push_image(&f, "team/other", "v9", 5);
    CHECK_OK(export_with(&t, NULL, NULL));
    assert_string_equal(listed(&t), "multi v1 v2 - -");
    assert_int_equal(t.res.tags, 3);
    assert_int_equal(t.res.manifests, 6);
    assert_int_equal(t.res.problems, 0);
    CHECK_STR(file_at(&t, "oci-layout"), STR(OCI_LAYOUT_HEADER));
    layout_done(&t);
}

static void test_repo_export__takes_along_what_refers_to_one_image(void **state)
{
    (void)state;
    struct fixture f;
    struct target_layout t;
    layout_init(&f, &t);
    berth_digest children[2] = {push_image(&f, NAME, NULL, 1), push_image(&f, NAME, NULL, 2)};
    push_index(&f, "multi", children, 2);
    berth_digest other = push_image(&f, NAME, "other", 3);
    berth_digest of_child = push_referrer(&f, &children[1]);
    berth_digest of_referrer = push_referrer(&f, &of_child);
    berth_digest of_other = push_referrer(&f, &other);
    CHECK_OK(export_tag(&t, "multi"));
    assert_string_equal(listed(&t), "- - multi");
    CHECK(has(&t, &of_child) && has(&t, &of_referrer) && !has(&t, &other) && !has(&t, &of_other));
    oci_reference ref = {.is_digest = true, .digest = other};
    CHECK_OK(export_with(&t, &ref, NULL));
    assert_string_equal(listed(&t), "- - multi - -");
    layout_done(&t);
}

static void test_repo_export__adds_to_what_is_there(void **state)
{
    (void)state;
    struct fixture f;
    struct target_layout t;
    layout_init(&f, &t);
    push_image(&f, NAME, "v1", 1);
    CHECK_OK(export_with(&t, NULL, NULL));
    CHECK(t.res.copied == 3 && t.res.copied_bytes == t.res.bytes);
    push_image(&f, NAME, "v2", 2);
    push_image(&f, NAME, "v3", 3);
    CHECK_OK(export_tag(&t, "v2"));
    assert_string_equal(listed(&t), "v1 v2");
    berth_digest moved = push_image(&f, NAME, "v1", 4);
    CHECK_OK(export_tag(&t, "v1"));
    assert_string_equal(listed(&t), "v1 v2");
    CHECK(has(&t, &moved));
    CHECK_OK(export_with(&t, NULL, NULL));
    assert_string_equal(listed(&t), "v1 v2 v3 -"); /* the old v1 has no tag any more */
    CHECK_OK(export_with(&t, NULL, NULL));
    assert_int_equal(t.res.copied, 0);
    layout_done(&t);
}

static void test_repo_export__writes_again_what_has_the_wrong_size_or_was_not_finished(void **state)
{
    (void)state;
    struct fixture f;
    struct target_layout t;
    layout_init(&f, &t);
    berth_digest layer = digest_sha256(fixture_bytes(&f, 1000, 1));
    push_image(&f, NAME, "v1", 1);
    fixture_write(&f, path_of(&t, &layer), "short", 5);
    fixture_write(&f, berth_arena_printf(&f.a, "%s.part", path_of(&t, &layer)), "more than it will be", 20);
    CHECK_OK(export_with(&t, NULL, NULL));
    assert_string_equal(listed(&t), "v1");
    CHECK(!file_at(&t, berth_arena_printf(&f.a, "%s.part", path_of(&t, &layer))).p);
    layout_done(&t);
}

static void test_repo_export__names_what_is_lost_and_lists_nothing_that_needs_it(void **state)
{
    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct fixture f;
        struct target_layout t;
        layout_init(&f, &t);
        berth_digest children[2] = {push_image(&f, NAME, NULL, 1), push_image(&f, NAME, NULL, 2)};
        berth_digest index = push_index(&f, "multi", children, 2);
        push_image(&f, NAME, "kept", 3);
        lose_layer(&f, 1, damaged);
        berth_digest layer = digest_sha256(fixture_bytes(&f, 1000, 1));
        CHECK_OK(export_with(&t, NULL, NULL));
        assert_string_equal(listed(&t), "kept -"); /* and the child that is whole */
        assert_int_equal(t.res.problems, 1);
        CHECK(strstr(t.heard.text, layer.text) && strstr(t.heard.text, children[0].text));
        CHECK(strstr(t.heard.text, damaged ? "have the digest" : "the object is missing") != NULL);
        CHECK(strstr(t.heard.text, "tag multi is not exported") != NULL);
        CHECK(!has(&t, &layer) && !has(&t, &children[0]) && !has(&t, &index) && has(&t, &children[1]));
        CHECK_OK(export_tag(&t, "multi"));
        assert_int_equal(t.res.problems, 1);
        assert_string_equal(listed(&t), "kept -");
        layout_done(&t);
    }
}

static void test_repo_export__does_without_what_was_never_needed(void **state)
{
    (void)state;
    struct fixture f;
    struct target_layout t;
    layout_init(&f, &t);
    f.policy.sparse = REPO_SPARSE_ALL;
    fixture_set_policy(&f);
    berth_digest children[2] = {push_image(&f, NAME, NULL, 1), digest_sha256(STR("absent"))};
    berth_digest index = push_index(&f, "sparse", children, 2);
    CHECK_OK(export_with(&t, NULL, NULL));
    CHECK(t.res.problems == 0 && t.res.tags == 1 && has(&t, &index) && has(&t, &children[0]));
    f.policy.sparse = REPO_SPARSE_NONE;
    fixture_set_policy(&f);
    CHECK_OK(export_with(&t, NULL, NULL));
    CHECK(t.res.problems == 1 && t.res.tags == 0 && strstr(t.heard.text, children[1].text));
    layout_done(&t);
}

static void test_repo_export__stops_when_told_and_leaves_the_old_list(void **state)
{
    (void)state;
    struct fixture f;
    struct target_layout t;
    _Atomic bool stop = true;
    layout_init(&f, &t);
    push_image(&f, NAME, "v1", 1);
    CHECK_OK(export_with(&t, NULL, NULL));
    push_image(&f, NAME, "v2", 2);
    CHECK_CODE(export_with(&t, NULL, &stop), BERTH_E_CANCELLED);
    assert_string_equal(listed(&t), "v1");
    CHECK_CODE(export_tag(&t, "none"), BERTH_E_NOT_FOUND);
    fixture_write(&f, "index.json", "{", 1);
    CHECK_CODE(export_with(&t, NULL, NULL), BERTH_E_INVALID);
    CHECK_STR(file_at(&t, "index.json"), STR("{"));
    layout_done(&t);
}

static void test_repo_export__lists_nothing_half_when_any_call_fails(void **state)
{
    (void)state;
    bool fired = true;
    for (unsigned n = 1; fired; n++) {
        struct fixture f;
        struct target_layout t;
        layout_init(&f, &t);
        berth_digest child = push_image(&f, NAME, NULL, 1);
        push_index(&f, "multi", &child, 1);
        push_referrer(&f, &child);
        fault_arm(n);
        int rc = export_with(&t, NULL, NULL);
        fired = fault_disarm();
        /* without memory to know the child by, it may be listed, too: it is whole */
        const char *names = listed(&t);
        if (rc == BERTH_OK && t.res.problems == 0)
            CHECK_ROW(n, strncmp(names, "multi -", 7) == 0);
        else
            CHECK_ROW(n, fired);
        CHECK_OK(export_with(&t, NULL, NULL));
        CHECK_ROW(n, t.res.problems == 0 && strncmp(listed(&t), "multi -", 7) == 0);
        layout_done(&t);
    }
}

RUN_TESTS(TEST(test_repo_export__lists_tags_and_whatever_neither_a_tag_nor_an_index_leads_to),
          TEST(test_repo_export__takes_along_what_refers_to_one_image),
          TEST(test_repo_export__adds_to_what_is_there),
          TEST(test_repo_export__writes_again_what_has_the_wrong_size_or_was_not_finished),
          TEST(test_repo_export__names_what_is_lost_and_lists_nothing_that_needs_it),
          TEST(test_repo_export__does_without_what_was_never_needed),
          TEST(test_repo_export__stops_when_told_and_leaves_the_old_list),
          TEST(test_repo_export__lists_nothing_half_when_any_call_fails))
