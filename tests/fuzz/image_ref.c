/* tests/fuzz/image_ref.c - references as people write them: what passes is printed, parsed again and equal,
 * its pieces are what the registry takes, and nothing in it acts on a terminal or starts another part of a
 * URL. */
#include <berth/reference.h>

#include "fuzz.h"
#include "oci/reference.h"

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void check(const berth_ref *ref)
{
    CLEANUP(berth_ref_done)
    berth_ref again = BERTH_REF_INIT, tagged = BERTH_REF_INIT, pinned = BERTH_REF_INIT;
    require(berth_ref_parse(ref->normalised, &again, NULL) == BERTH_OK && berth_ref_equal(ref, &again));
    require(same(again.original, ref->normalised) && same(again.normalised, ref->normalised));
    require(same(again.registry, ref->registry) && same(again.netloc, ref->netloc));
    require(same(again.repository, ref->repository) && same(again.without_tag, ref->without_tag));
    require(same(again.tag, ref->tag) && same(again.symbolic_tag, ref->symbolic_tag));
    require(same(again.digest_tag, ref->digest_tag) && again.tag_type == ref->tag_type);

    require(oci_name_valid(str_from(ref->repository)) && !strpbrk(ref->netloc, "/@?#"));
    require(!ref->symbolic_tag || oci_tag_valid(str_from(ref->symbolic_tag)));
    require((ref->tag_type == BERTH_TAG_NONE) == !ref->tag);
    require((ref->tag_type == BERTH_TAG_DIGEST) == (ref->digest_tag != NULL));
    for (const char *c = ref->normalised; *c; c++)
        require(*c > 0x20 && *c < 0x7f && *c != '?' && *c != '#');

    berth_digest digest;
    if (berth_ref_digest(ref, &digest, NULL) == BERTH_OK) {
        require(same(digest.text, ref->digest_tag));
        require(berth_ref_with_digest(ref, &digest, &pinned, NULL) == BERTH_OK &&
                berth_ref_equal(ref, &pinned));
    }
    require(berth_ref_with_tag(ref, "v1", &tagged, NULL) == BERTH_OK);
    require(same(tagged.without_tag, ref->without_tag) && same(tagged.tag, "v1"));
}

/* Up to a newline a reference; behind it, if there is one, registry, namespace and tag to assume, a line
 * each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_str line[4], rest = {(const char *)data, size};
    char *text[COUNT(line)];
    for (size_t i = 0; i < COUNT(line); i++) {
        str_cut(rest, '\n', &line[i], &rest);
        text[i] = str_dup(line[i]);
    }
    berth_ref_options opts = BERTH_REF_OPTIONS_INIT;
    opts.default_registry = text[1];
    opts.default_namespace = text[2];
    opts.default_tag = text[3];
    CLEANUP(berth_ref_done) berth_ref ref = BERTH_REF_INIT, with = BERTH_REF_INIT;
    berth_error err = BERTH_ERROR_INIT;
    if (berth_ref_parse(text[0], &ref, &err) == BERTH_OK)
        check(&ref);
    else
        require(err.code == BERTH_E_INVALID && err.message[0] && !strchr(err.message, '\x1b'));
    if (berth_ref_parse_with(text[0], &opts, &with, NULL) == BERTH_OK)
        check(&with);
    for (size_t i = 0; i < COUNT(line); i++)
        free(text[i]);
    return 0;
}
