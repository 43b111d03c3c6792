/* tests/unit/repo/import.c - trees of other registries, made by hand: brought whole, once, and with their
 * damage told. */
#include "fixture.h"

#include <stdatomic.h>
#include <sys/stat.h>

struct heard {
    char text[16384]; /* all lines, "<repository>: <text>" */
    size_t n;
};

static void hear(void *arg, const char *name, const char *text)
{
    struct heard *h = arg;
    h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n, "%s: %s\n", name, text);
    assert_true(h->n < sizeof(h->text));
}

static bool said(const struct heard *h, const char *part)
{
    if (!strstr(h->text, part))
        print_error("'%s' is not in: %s\n", part, h->text);
    return strstr(h->text, part) != NULL;
}

static int try_import(struct fixture *f, const char *path, const char *name, bool dry_run, struct heard *h,
                      struct repo_import_result *ret)
{
    *h = (struct heard){.n = 0};
    struct repo_import_options o = {.path = berth_arena_printf(&f->a, "%s/%s", fixture_dir(f), path),
                                    .name = name,
                                    .dry_run = dry_run,
                                    .report = hear,
                                    .arg = h};
    return repo_import(f->r, &o, ret, &test_err);
}

static struct repo_import_result import(struct fixture *f, const char *path, const char *name,
                                        struct heard *h)
{
    struct repo_import_result result;
    CHECK_OK(try_import(f, path, name, false, h, &result));
    check_consistent(f);
    return result;
}

static void check_tag(struct fixture *f, const char *name, const char *tag, const berth_digest *d)
{
    berth_digest have = tag_digest(f, name, tag);
    assert_string_equal(have.text, d->text);
}

/* --- trees: a function that puts bytes where a kind of tree has its blobs --- */

typedef void put_fn(struct fixture *f, const char *where, const berth_digest *d, berth_str body);

static void put_distribution(struct fixture *f, const char *where, const berth_digest *d, berth_str body)
{
    const char *hex = strchr(d->text, ':') + 1;
    fixture_write(f,
                  berth_arena_printf(&f->a, "%s/docker/registry/v2/blobs/%s/%.2s/%s/data", where,
                                     hash_name(d->algorithm), hex, hex),
                  body.p, body.n);
}

static void put_layout(struct fixture *f, const char *where, const berth_digest *d, berth_str body)
{
    fixture_write(
        f,
        berth_arena_printf(&f->a, "%s/blobs/%s/%s", where, hash_name(d->algorithm), strchr(d->text, ':') + 1),
        body.p, body.n);
}

static berth_digest put_text(struct fixture *f, put_fn *put, const char *where, berth_str body)
{
    berth_digest d = digest_sha256(body);
    put(f, where, &d, body);
    return d;
}

/* An image of "{}" and a layer of 1,000 bytes. */
static berth_digest put_image(struct fixture *f, put_fn *put, const char *where, unsigned seed,
                              berth_str *ret_text)
{
    berth_digest config = put_text(f, put, where, STR("{}"));
    berth_digest layer = put_text(f, put, where, fixture_bytes(f, 1000, seed));
    berth_str text = image_text(f, &config, &layer, 1, "");
    if (ret_text)
        *ret_text = text;
    return put_text(f, put, where, text);
}

/* tags/<tag>, or a revision when @tag is NULL. */
static void link_distribution(struct fixture *f, const char *where, const char *name, const char *tag,
                              const berth_digest *d)
{
    const char *path =
        tag ? berth_arena_printf(&f->a, "tags/%s/current", tag)
            : berth_arena_printf(&f->a, "revisions/%s/%s", hash_name(d->algorithm), strchr(d->text, ':') + 1);
    fixture_write(f,
                  berth_arena_printf(&f->a, "%s/docker/registry/v2/repositories/%s/_manifests/%s/link", where,
                                     name, path),
                  d->text, strlen(d->text));
}

struct entry {
    const berth_digest *d;
    const char *type, *ref; /* ref NULL: none */
    size_t size;
};

static void write_layout(struct fixture *f, const char *where, const struct entry *entries, size_t n)
{
    berth_buf b = BERTH_BUF_INIT(MIB);
    berth_buf_addf(&b, "{\"schemaVersion\":2,\"manifests\":[");
    for (size_t i = 0; i < n; i++) {
        berth_buf_addf(&b, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu", i ? "," : "",
                       entries[i].type, entries[i].d->text, entries[i].size);
        if (entries[i].ref)
            berth_buf_addf(&b, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}",
                           entries[i].ref);
        berth_buf_addf(&b, "}");
    }
    berth_buf_addf(&b, "]}");
    fixture_write(f, berth_arena_printf(&f->a, "%s/index.json", where), b.p, b.n);
    berth_buf_done(&b);
    berth_str header = STR("{\"imageLayoutVersion\":\"1.0.0\"}");
    fixture_write(f, berth_arena_printf(&f->a, "%s/oci-layout", where), header.p, header.n);
}

/* A layout of one image. */
static berth_digest one_image(struct fixture *f, const char *where, const char *ref, unsigned seed)
{
    berth_str text;
    berth_digest d = put_image(f, put_layout, where, seed, &text);
    write_layout(f, where, (struct entry[]){{&d, MT_OCI_MANIFEST, ref, text.n}}, 1);
    return d;
}

/* --- distribution --- */

static void test_repo_import__brings_a_tree_of_distribution(void **state)
{
    (void)state;
    static const char *const paths[] = {"old", "old/docker", "old/docker/registry", "old/docker/registry/v2"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct fixture f;
        struct heard h;
        struct repo_import_result r, dry;
        fixture_init(&f, FIXTURE_FS);
        berth_digest a = put_image(&f, put_distribution, "old", 1, NULL),
                     b = put_image(&f, put_distribution, "old", 2, NULL),
                     untagged = put_image(&f, put_distribution, "old", 3, NULL);
        berth_digest children[] = {a, b};
        berth_digest index = put_text(&f, put_distribution, "old", index_text(&f, children, 2, ""));
        berth_str referrer =
            image_text(&f, &(berth_digest[]){digest_sha256(STR("{}"))}[0], NULL, 0,
                       berth_arena_printf(&f.a,
                                          ",\"subject\":{\"mediaType\":\"%s\",\"digest\":\"%s\","
                                          "\"size\":1}",
                                          MT_OCI_MANIFEST, a.text));
        berth_digest sig = put_text(&f, put_distribution, "old", referrer),
                     fallback = put_text(&f, put_distribution, "old", index_text(&f, &sig, 1, ""));
        char fallback_tag[OCI_TAG_MAX + 1];
        oci_referrers_tag(&a, fallback_tag);
        link_distribution(&f, "old", "library/alpine", "v1", &index);
        link_distribution(&f, "old", "library/alpine", "_odd.Tag", &a);
        link_distribution(&f, "old", "library/alpine", NULL, &index);
        link_distribution(&f, "old", "library/alpine", NULL, &a);
        link_distribution(&f, "old", "library/alpine", NULL, &b);
        link_distribution(&f, "old", "library/alpine", NULL, &untagged);
        link_distribution(&f, "old", "library/alpine", fallback_tag, &fallback);
        link_distribution(&f, "old", "library/alpine/nested/deep", "latest", &a);
        put_text(&f, put_distribution, "old", STR("a layer that nobody refers to"));

        CHECK_OK(try_import(&f, paths[i], NULL, true, &h, &dry));
        assert_int_equal(count_objects(&f), 0);
        CHECK(!manifest_is_there(&f, "library/alpine", &a));

        r = import(&f, paths[i], NULL, &h);
        assert_int_equal(r.repositories, 2);
        assert_int_equal(r.tags, 4);
        assert_int_equal(r.manifests, 7); /* index, a, b, untagged, sig, fallback; a again */
        assert_int_equal(r.blobs, 4 + 2); /* the second repository's are mounted */
        assert_int_equal(r.bytes, 3002);
        assert_int_equal(r.failed, 0);
        assert_int_equal(dry.repositories, r.repositories);
        assert_int_equal(dry.tags, r.tags);
        assert_int_equal(dry.manifests, r.manifests);
        assert_int_equal(dry.blobs, r.blobs);
        assert_int_equal(dry.bytes, r.bytes);
        check_tag(&f, "library/alpine", "v1", &index);
        check_tag(&f, "library/alpine", "_odd.Tag", &a);
        check_tag(&f, "library/alpine/nested/deep", "latest", &a);
        CHECK(manifest_is_there(&f, "library/alpine", &untagged));
        CHECK(said(&h, "library/alpine: tag v1: sha256:"));
        struct oci_referrers list;
        CHECK_OK(repo_referrers(f.r, STR("library/alpine"), &a, STR_NULL, STR_NULL, STR_NULL, 10, &f.a, &list,
                                &test_err));
        assert_int_equal(list.n, 1);
        assert_int_equal(count_objects(&f), 3);

        r = import(&f, paths[i], NULL, &h);
        assert_int_equal(r.tags + r.manifests + r.blobs + r.bytes + r.failed, 0);
        assert_string_equal(h.text, "");
        assert_int_equal(r.repositories, 2);
        assert_int_equal(count_objects(&f), 3);

        link_distribution(&f, "old", "library/alpine", "v1", &b); /* pushed meanwhile */
        r = import(&f, paths[i], NULL, &h);
        assert_int_equal(r.tags, 1);
        assert_int_equal(r.manifests, 0);
        check_tag(&f, "library/alpine", "v1", &b);
        fixture_done(&f);
    }
}

static void test_repo_import__tells_the_damage_of_a_tree_and_goes_on(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    berth_digest good = put_image(&f, put_distribution, "old", 1, NULL),
                 no_layer = put_image(&f, put_distribution, "old", 2, NULL),
                 bad_layer = put_image(&f, put_distribution, "old", 3, NULL),
                 bad_body = put_image(&f, put_distribution, "old", 4, NULL),
                 gone = digest_sha256(STR("a manifest that is not there")),
                 junk = put_text(&f, put_distribution, "old", STR("no JSON")),
                 lost = digest_sha256(fixture_bytes(&f, 1000, 2)),
                 wrong = digest_sha256(fixture_bytes(&f, 1000, 3));
    berth_digest children[] = {good, gone};
    berth_digest sparse = put_text(&f, put_distribution, "old", index_text(&f, children, 2, ""));
    const char *hex = strchr(lost.text, ':') + 1;
    assert_int_equal(unlink(berth_arena_printf(&f.a, "%s/old/docker/registry/v2/blobs/sha256/%.2s/%s/data",
                                               f.dir, hex, hex)),
                     0);
    put_distribution(&f, "old", &wrong, fixture_bytes(&f, 1000, 33));
    put_distribution(&f, "old", &bad_body, STR("{}"));
    link_distribution(&f, "old", "app", "no-layer", &no_layer);
    link_distribution(&f, "old", "app", "no-layer-either", &no_layer);
    link_distribution(&f, "old", "app", "bad-layer", &bad_layer);
    link_distribution(&f, "old", "app", "bad-body", &bad_body);
    link_distribution(&f, "old", "app", "gone", &gone);
    link_distribution(&f, "old", "app", "junk", &junk);
    link_distribution(&f, "old", "app", "sparse", &sparse);
    link_distribution(&f, "old", "app", "good", &good);
    fixture_write(&f, "old/docker/registry/v2/repositories/app/_manifests/tags/cut/current/link", "sha256:12",
                  9);
    fixture_write(&f, "old/docker/registry/v2/repositories/app/_manifests/tags/empty/index/x", "", 0);
    link_distribution(&f, "old", "app", "not a tag", &good);
    link_distribution(&f, "old", "Not-A-Name", "v1", &good);

    struct repo_import_result r = import(&f, "old", NULL, &h);
    assert_int_equal(r.tags, 1);
    assert_int_equal(r.manifests, 1);
    assert_int_equal(r.repositories, 1);
    assert_int_equal(r.skipped, 2); /* the tag and the name that are none */
    CHECK(r.failed >= 9);
    check_tag(&f, "app", "good", &good);
    CHECK(!blob_is_there(&f, "app", &wrong));
    const char *const lines[] = {
        berth_arena_printf(&f.a, "app: blob %s of manifest %s is missing\n", lost.text, no_layer.text),
        berth_arena_printf(&f.a, "app: blob %s of manifest %s is not imported: ", wrong.text, bad_layer.text),
        berth_arena_printf(&f.a, "app: tag bad-body, manifest %s: not imported: its bytes have the digest",
                           bad_body.text),
        berth_arena_printf(&f.a, "app: tag gone, manifest %s: not imported: ", gone.text),
        berth_arena_printf(&f.a, "app: tag junk, manifest %s: not imported: ", junk.text),
        berth_arena_printf(&f.a, "app: tag sparse, manifest %s: not imported: ", sparse.text),
        "app: tag cut is not imported: ",
        "app: tag empty is not imported: ",
        "app: 'not a tag' skipped: ",
        "Not-A-Name: skipped: ",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        CHECK_ROW(i, said(&h, lines[i]));

    f.policy.sparse = REPO_SPARSE_ALL; /* what the policy lets miss, is imported without it */
    fixture_set_policy(&f);
    r = import(&f, "old", NULL, &h);
    check_tag(&f, "app", "sparse", &sparse);
    fixture_done(&f);
}

static void test_repo_import__never_follows_links(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    berth_digest good = put_image(&f, put_distribution, "old", 1, NULL),
                 layer = digest_sha256(fixture_bytes(&f, 1000, 2)), config = digest_sha256(STR("{}"));
    berth_digest d = put_text(&f, put_distribution, "old", image_text(&f, &config, &layer, 1, ""));
    fixture_write(&f, "outside", fixture_bytes(&f, 1000, 2).p, 1000);
    link_distribution(&f, "elsewhere", "secret", "v1", &good);
    link_distribution(&f, "old", "app", "v1", &d);
    const char *hex = strchr(layer.text, ':') + 1, *outside = berth_arena_printf(&f.a, "%s/outside", f.dir);
    fixture_write(&f, berth_arena_printf(&f.a, "old/docker/registry/v2/blobs/sha256/%.2s/%s/x", hex, hex), "",
                  0);
    assert_int_equal(
        symlink(outside, berth_arena_printf(&f.a, "%s/old/docker/registry/v2/blobs/sha256/%.2s/%s/data",
                                            f.dir, hex, hex)),
        0);
    assert_int_equal(
        symlink(berth_arena_printf(&f.a, "%s/elsewhere/docker/registry/v2/repositories/secret", f.dir),
                berth_arena_printf(&f.a, "%s/old/docker/registry/v2/repositories/secret", f.dir)),
        0);
    assert_int_equal(
        mkfifo(berth_arena_printf(&f.a, "%s/old/docker/registry/v2/repositories/pipe", f.dir), 0600), 0);
    const char *config_hex = strchr(config.text, ':') + 1; /* nor waits for a writer */
    const char *pipe = berth_arena_printf(&f.a, "%s/old/docker/registry/v2/blobs/sha256/%.2s/%s/data", f.dir,
                                          config_hex, config_hex);
    assert_int_equal(unlink(pipe), 0);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    struct repo_import_result r = import(&f, "old", NULL, &h);
    assert_int_equal(r.tags + r.repositories + r.manifests, 0);
    CHECK(said(&h, berth_arena_printf(&f.a, "blob %s of manifest %s is missing", layer.text, d.text)));
    CHECK(said(&h, berth_arena_printf(&f.a, "blob %s of manifest %s is missing", config.text, d.text)));
    CHECK(!manifest_is_there(&f, "secret", &good));
    fixture_done(&f);
}

static void test_repo_import__brings_an_index_that_lists_blobs(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    berth_digest layer = put_text(&f, put_distribution, "old", fixture_bytes(&f, 1000, 1)),
                 image = put_image(&f, put_distribution, "old", 1, NULL);
    const char *text = berth_arena_printf(
        &f.a,
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
        "\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\",\"size\":1000},{\"mediaType\":"
        "\"application/x-unknown\",\"digest\":\"%s\",\"size\":500}]}",
        layer.text, image.text);
    berth_digest d = put_text(&f, put_distribution, "old", str_from(text));
    link_distribution(&f, "old", "app", "cache", &d);
    struct repo_import_result r = import(&f, "old", NULL, &h);
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.blobs, 2); /* the config is the other */
    assert_int_equal(r.manifests, 2);
    CHECK(manifest_is_there(&f, "app", &image));
    check_tag(&f, "app", "cache", &d);
    CHECK(blob_is_there(&f, "app", &layer));
    fixture_done(&f);
}

static void test_repo_import__leaves_schema_1_out_unless_it_is_accepted(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    berth_digest d =
        put_text(&f, put_distribution, "old",
                 STR("{\"schemaVersion\":1,\"name\":\"app\",\"tag\":\"v1\",\"fsLayers\":[],\"history\":[]}"));
    link_distribution(&f, "old", "app", "v1", &d);
    link_distribution(&f, "old", "app", "v2", &d);
    link_distribution(&f, "old", "app", NULL, &d);
    struct repo_import_result r = import(&f, "old", NULL, &h);
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.skipped, 2);
    CHECK(said(&h, "Docker schema 1"));
    f.policy.schema1 = true;
    fixture_set_policy(&f);
    r = import(&f, "old", NULL, &h);
    assert_int_equal(r.tags, 2);
    assert_int_equal(r.manifests, 1);
    fixture_done(&f);
}

/* --- layouts --- */

static void test_repo_import__brings_one_layout(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_import_result r;
    fixture_init(&f, FIXTURE_FS);
    berth_str texts[3];
    berth_digest d[3];
    for (unsigned i = 0; i < 3; i++)
        d[i] = put_image(&f, put_layout, "img", i, &texts[i]);
    berth_str index = index_text(&f, d, 2, "");
    berth_digest top = put_text(&f, put_layout, "img", index);
    write_layout(&f, "img",
                 (struct entry[]){{&top, MT_OCI_INDEX, "v1", index.n},
                                  {&top, MT_OCI_INDEX, "host.example:5000/team/app:v2", index.n},
                                  {&d[2], MT_OCI_MANIFEST, NULL, texts[2].n},
                                  {&d[0], MT_OCI_MANIFEST, "not a tag", texts[0].n},
                                  {&d[1], MT_OCI_MANIFEST, "app@sha256:0123", texts[1].n}},
                 5);
    r = import(&f, "img", NULL, &h);
    assert_int_equal(r.repositories, 1);
    assert_int_equal(r.tags, 2);
    assert_int_equal(r.manifests, 4);
    assert_int_equal(r.blobs, 4);
    assert_int_equal(r.failed, 0);
    check_tag(&f, "img", "v1", &top);
    check_tag(&f, "img", "v2", &top);
    CHECK(manifest_is_there(&f, "img", &d[2]));
    CHECK(said(&h, "'not a tag' names no tag") && said(&h, "'app@sha256:0123' names no tag"));

    r = import(&f, "img", "team/other", &h);
    assert_int_equal(r.tags, 2);
    assert_int_equal(r.bytes, 0); /* mounted */
    check_tag(&f, "team/other", "v2", &top);
    r = import(&f, "img/.", "team/other", &h);
    assert_int_equal(r.tags + r.manifests + r.blobs, 0);
    CHECK_CODE(try_import(&f, "img", "Not A Name", false, &h, &r), BERTH_E_INVALID);
    fixture_done(&f);
}

static void test_repo_import__asks_for_a_name_where_the_folder_has_none(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_import_result r;
    fixture_init(&f, FIXTURE_FS);
    one_image(&f, "My Images", "v1", 1);
    CHECK_CODE(try_import(&f, "My Images", NULL, false, &h, &r), BERTH_E_INVALID);
    import(&f, "My Images", "images", &h);
    one_image(&f, "tree/a", "v1", 1);
    CHECK_CODE(try_import(&f, "tree", "images", false, &h, &r), BERTH_E_INVALID);
    fixture_done(&f);
}

static void test_repo_import__brings_a_folder_of_layouts(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    berth_digest a = one_image(&f, "zot/team/app", "v1", 1),
                 b = one_image(&f, "zot/team/app/nested", "v2", 2), c = one_image(&f, "zot/blobs", "v3", 3),
                 e = one_image(&f, "zot/repositories", "v4", 4);
    one_image(&f, "zot/_trivy", "v1", 6);
    one_image(&f, "zot/.hidden", "v1", 7);
    one_image(&f, "zot/Bad Name", "v1", 8);
    fixture_write(&f, "zot/team/app/.uploads/x", "half", 4);
    struct repo_import_result r = import(&f, "zot", NULL, &h);
    assert_int_equal(r.repositories, 4);
    assert_int_equal(r.tags, 4);
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.skipped, 1);
    CHECK(said(&h, "Bad Name: skipped"));
    check_tag(&f, "team/app", "v1", &a);
    check_tag(&f, "team/app/nested", "v2", &b);
    check_tag(&f, "blobs", "v3", &c);
    check_tag(&f, "repositories", "v4", &e);
    fixture_done(&f);
}

static void test_repo_import__finds_the_bytes_of_blobs_that_a_registry_stored_once(void **state)
{
    (void)state;
    static const char *const homes[] = {"zot/first/repo", "zot/_blobstore", "zot/storage"};
    for (size_t i = 0; i < COUNT(homes); i++) {
        struct fixture f;
        struct heard h;
        fixture_init(&f, FIXTURE_FS);
        berth_digest d = one_image(&f, "zot/second", "v1", 1),
                     layer = digest_sha256(fixture_bytes(&f, 1000, 1)), config = digest_sha256(STR("{}"));
        put_image(&f, put_layout, homes[i], 1, NULL);
        put_layout(&f, "zot/second", &layer, STR(""));
        put_layout(&f, "zot/second", &d, STR(""));
        assert_int_equal(unlink(berth_arena_printf(&f.a, "%s/zot/second/blobs/sha256/%s", f.dir,
                                                   strchr(config.text, ':') + 1)),
                         0);
        struct repo_import_result r = import(&f, "zot", NULL, &h);
        assert_int_equal(r.failed, 0);
        assert_int_equal(r.tags, 1);
        check_tag(&f, "second", "v1", &d);
        CHECK_STR_ROW(i, pull_blob(&f, "second", &layer), fixture_bytes(&f, 1000, 1));
        fixture_done(&f);
    }
}

static void test_repo_import__tells_the_damage_of_layouts_and_goes_on(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    fixture_init(&f, FIXTURE_FS);
    berth_digest good = one_image(&f, "root/good", "v1", 1), bad = one_image(&f, "root/wrong", "v1", 2),
                 layer = digest_sha256(fixture_bytes(&f, 1000, 2));
    put_layout(&f, "root/wrong", &layer, fixture_bytes(&f, 1000, 22));
    one_image(&f, "root/json", "v1", 3);
    fixture_write(&f, "root/json/index.json", "{\"manifests\":", 13);
    one_image(&f, "root/later", "v1", 4);
    fixture_write(&f, "root/later/oci-layout", "{\"imageLayoutVersion\":\"9.0.0\"}", 30);
    one_image(&f, "root/none", "v1", 5);
    assert_int_equal(unlink(berth_arena_printf(&f.a, "%s/root/none/index.json", f.dir)), 0);
    struct repo_import_result r = import(&f, "root", NULL, &h);
    assert_int_equal(r.tags, 1);
    assert_int_equal(r.repositories, 1);
    check_tag(&f, "good", "v1", &good);
    CHECK(!manifest_is_there(&f, "wrong", &bad));
    CHECK(!blob_is_there(&f, "wrong", &layer));
    CHECK(said(&h, "wrong: blob ") && said(&h, "json: not imported: index.json: ") &&
          said(&h, "later: not imported: oci-layout: ") && said(&h, "none: not imported: index.json: "));
    CHECK(r.failed >= 5);

    /* a size that its descriptor got wrong is no damage: the digest decides */
    fixture_write(&f, "root/wrong/oci-layout", "x", 1);
    berth_str text;
    berth_digest d = put_image(&f, put_layout, "root/size", 6, &text);
    write_layout(&f, "root/size", (struct entry[]){{&d, MT_OCI_MANIFEST, "v1", text.n + 7}}, 1);
    import(&f, "root", NULL, &h);
    check_tag(&f, "size", "v1", &d);
    fixture_done(&f);
}

/* --- all of them --- */

static void test_repo_import__refuses_what_is_no_registry(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_import_result r;
    fixture_init(&f, FIXTURE_FS);
    fixture_write(&f, "stuff/a/b/file", "x", 1);
    CHECK_CODE(try_import(&f, "stuff", NULL, false, &h, &r), BERTH_E_NOT_FOUND);
    CHECK_CODE(try_import(&f, "stuff/a/b/file", NULL, false, &h, &r), BERTH_E_INVALID);
    CHECK_CODE(try_import(&f, "nothing", NULL, false, &h, &r), BERTH_E_NOT_FOUND);
    fixture_done(&f);
}

static void test_repo_import__keeps_to_the_policy(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_import_result r;
    fixture_init(&f, FIXTURE_FS);
    berth_digest d = one_image(&f, "root/team/app", "v1", 1);
    repo_set_read_only(f.r, true);
    CHECK_CODE(try_import(&f, "root", NULL, false, &h, &r), BERTH_E_UNSUPPORTED);
    CHECK_OK(try_import(&f, "root", NULL, true, &h, &r));
    assert_int_equal(r.tags, 1);
    repo_set_read_only(f.r, false);
    f.policy.auto_create = false;
    fixture_set_policy(&f);
    r = import(&f, "root", NULL, &h);
    assert_int_equal(r.failed, 1);
    CHECK(said(&h, "team/app: not imported: there is no such repository"));
    f.policy.auto_create = true;
    f.policy.mount_anywhere = false; /* is about clients */
    fixture_set_policy(&f);
    import(&f, "root", NULL, &h);
    check_tag(&f, "team/app", "v1", &d);
    one_image(&f, "root/team/copy", "v1", 1);
    r = import(&f, "root", NULL, &h);
    assert_int_equal(r.blobs, 2);
    assert_int_equal(r.bytes, 0);
    fixture_done(&f);
}

static void test_repo_import__stops_when_asked_and_goes_on_later(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_import_result r;
    _Atomic bool stop = true;
    fixture_init(&f, FIXTURE_FS);
    berth_digest d = one_image(&f, "img", "v1", 1);
    struct repo_import_options o = {.path = berth_arena_printf(&f.a, "%s/img", fixture_dir(&f)),
                                    .stop = &stop};
    CHECK_CODE(repo_import(f.r, &o, &r, &test_err), BERTH_E_CANCELLED);
    assert_int_equal(r.tags, 0);
    import(&f, "img", NULL, &h);
    check_tag(&f, "img", "v1", &d);
    fixture_done(&f);
}

static void test_repo_import__a_store_that_fails_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    struct heard h;
    struct repo_import_result r;
    fixture_init(&f, FIXTURE_FAULTY);
    berth_digest d = one_image(&f, "img", "v1", 1);
    store_faulty_fail(f.s, 2, BERTH_E_NO_SPACE);
    CHECK_CODE(try_import(&f, "img", NULL, false, &h, &r), BERTH_E_NO_SPACE);
    CHECK(store_faulty_fail(f.s, 0, 0));
    check_consistent(&f);
    CHECK(!manifest_is_there(&f, "img", &d));
    r = import(&f, "img", NULL, &h);
    assert_int_equal(r.tags, 1);
    check_tag(&f, "img", "v1", &d);
    fixture_done(&f);
}

RUN_TESTS(TEST(test_repo_import__brings_a_tree_of_distribution),
          TEST(test_repo_import__tells_the_damage_of_a_tree_and_goes_on),
          TEST(test_repo_import__never_follows_links),
          TEST(test_repo_import__brings_an_index_that_lists_blobs),
          TEST(test_repo_import__leaves_schema_1_out_unless_it_is_accepted),
          TEST(test_repo_import__brings_one_layout),
          TEST(test_repo_import__asks_for_a_name_where_the_folder_has_none),
          TEST(test_repo_import__brings_a_folder_of_layouts),
          TEST(test_repo_import__finds_the_bytes_of_blobs_that_a_registry_stored_once),
          TEST(test_repo_import__tells_the_damage_of_layouts_and_goes_on),
          TEST(test_repo_import__refuses_what_is_no_registry), TEST(test_repo_import__keeps_to_the_policy),
          TEST(test_repo_import__stops_when_asked_and_goes_on_later),
          TEST(test_repo_import__a_store_that_fails_ends_it))
