/* tests/fuzz/manifest.c - the first byte chooses the Content-Type, the rest is a manifest; it is read as the
 * index of an image layout too, and printed as text within a document. */
#include "fuzz.h"
#include "oci/document.h"
#include "oci/layout.h"

static void check_descriptor(const oci_descriptor *d)
{
    berth_digest again;
    require(digest_parse(digest_str(&d->digest), &again, NULL) == BERTH_OK);
    require(d->media_type.n > 0 && d->size <= INT64_MAX);
    for (size_t i = 0; i < d->n_urls; i++)
        require(!memchr(d->urls[i].p, '\0', d->urls[i].n));
}

static void check_manifest(const oci_manifest *m, const char *p, size_t n)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest again;
    require(mediatype_kind(m->media_type) == m->kind && m->kind != MANIFEST_OTHER);
    /* what it is served as reads the same when it is pushed elsewhere */
    require(oci_manifest_parse(p, n, m->media_type, NULL, &arena, &again, NULL) == BERTH_OK);
    require(again.kind == m->kind && again.n_blobs == m->n_blobs && again.n_children == m->n_children);
    require(str_eq(again.annotations, m->annotations) && str_eq(again.artifact_type, m->artifact_type));
    require(m->kind != MANIFEST_IMAGE || (m->n_blobs > 0 && m->n_children == 0));
    require(m->kind != MANIFEST_INDEX || m->n_blobs == 0);
    for (size_t i = 0; i < m->n_blobs; i++)
        check_descriptor(&m->blobs[i]);
    for (size_t i = 0; i < m->n_children; i++)
        check_descriptor(&m->children[i]);
    if (m->has_subject)
        check_descriptor(&m->subject);
}

static void check_printed(berth_str s)
{
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(16 * MIB);
    oci_print_string(&b, s);
    require(!berth_buf_failed(&b) && b.n >= s.n + 2);
    for (size_t i = 0; i < b.n; i++)
        require((unsigned char)b.p[i] >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        MT_OCI_MANIFEST,
        MT_OCI_INDEX,
        MT_DOCKER_MANIFEST,
        MT_DOCKER_LIST,
        MT_DOCKER_SCHEMA1,
        MT_DOCKER_SCHEMA1_JWS,
        "",
        "application/json; charset=utf-8",
    };
    if (size == 0)
        return 0;
    const char *p = (const char *)data + 1;
    size_t n = size - 1;
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    oci_manifest m;
    berth_error err = BERTH_ERROR_INIT;
    int r = oci_manifest_parse(p, n, str_from(types[data[0] % COUNT(types)]), NULL, &arena, &m, &err);
    if (r == BERTH_OK)
        check_manifest(&m, p, n);
    else
        require(r == BERTH_E_INVALID && strcmp(err.oci_code, "MANIFEST_INVALID") == 0);

    oci_layout_entry *entries;
    size_t count;
    if (oci_layout_index_parse(p, n, &arena, &entries, &count, &err) == BERTH_OK)
        for (size_t i = 0; i < count; i++)
            check_descriptor(&entries[i].descriptor);
    oci_layout_header_parse(p, n, &err);
    check_printed((berth_str){p, n});
    return 0;
}
