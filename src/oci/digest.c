/* oci/digest.c - reads and makes digests; see digest.h and berth/digest.h. */
#include "oci/digest.h"

#include <assert.h>

static_assert((int)BERTH_DIGEST_SHA256 == (int)HASH_SHA256 && (int)BERTH_DIGEST_SHA512 == (int)HASH_SHA512,
              "berth_digest.algorithm is both");

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_lower_hex(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9');
}

/* algorithm-component (algorithm-separator algorithm-component)*: what is no component is one separator
 * between two of them. */
static bool algorithm_well_formed(berth_str s)
{
    bool want_component = true;
    for (size_t i = 0; i < s.n; i++) {
        if (is_lower_alnum(s.p[i]))
            want_component = false;
        else if (want_component || !memchr("+._-", s.p[i], 4))
            return false;
        else
            want_component = true;
    }
    return !want_component;
}

bool digest_well_formed(berth_str s)
{
    berth_str algorithm, encoded;
    if (!str_cut(s, ':', &algorithm, &encoded) || !algorithm_well_formed(algorithm) || encoded.n == 0)
        return false;
    for (size_t i = 0; i < encoded.n; i++) {
        char c = encoded.p[i];
        if (!is_lower_alnum(c) && !(c >= 'A' && c <= 'Z') && c != '=' && c != '_' && c != '-')
            return false;
    }
    return true;
}

int digest_parse(berth_str s, berth_digest *ret, berth_error *err)
{
    berth_str name, hex;
    enum hash_algorithm a;
    if (!digest_well_formed(s))
        return berth_error_set_oci(err, BERTH_E_INVALID, "DIGEST_INVALID", "'" STR_FMT "' is not a digest",
                                   STR_ARG(str_head(s, DIGEST_TEXT_MAX)));
    str_cut(s, ':', &name, &hex);
    if (!hash_by_name(name, &a))
        return berth_error_set_oci(err, BERTH_E_INVALID, "DIGEST_INVALID",
                                   "the digest algorithm '" STR_FMT
                                   "' is not supported (sha256 and sha512 are)",
                                   STR_ARG(str_head(name, DIGEST_TEXT_MAX)));
    bool good = hex.n == 2 * hash_size(a);
    for (size_t i = 0; good && i < hex.n; i++)
        good = is_lower_hex(hex.p[i]);
    if (!good)
        return berth_error_set_oci(err, BERTH_E_INVALID, "DIGEST_INVALID",
                                   "a %s digest has %zu lower-case hexadecimal digits", hash_name(a),
                                   2 * hash_size(a));
    ret->algorithm = a;
    memcpy(ret->text, s.p, s.n);
    ret->text[s.n] = '\0';
    return BERTH_OK;
}

void digest_from_hash(berth_hash *h, berth_digest *ret)
{
    enum hash_algorithm a = h->algorithm;
    const char *name = hash_name(a);
    size_t n = strlen(name);
    unsigned char bytes[HASH_MAX_SIZE];
    size_t size = hash_final(h, bytes);
    ret->algorithm = a;
    memcpy(ret->text, name, n);
    ret->text[n] = ':';
    hex_encode(bytes, size, ret->text + n + 1);
}

void digest_of(enum hash_algorithm a, const void *p, size_t n, berth_digest *ret)
{
    berth_hash h;
    hash_init(&h, a);
    hash_update(&h, p, n);
    digest_from_hash(&h, ret);
}

int berth_digest_parse(const char *text, berth_digest *ret_digest, berth_error *err)
{
    return digest_parse(str_from(text), ret_digest, err);
}

const char *berth_digest_algorithm_name(const berth_digest *digest)
{
    return hash_name((enum hash_algorithm)digest->algorithm);
}

const char *berth_digest_hex(const berth_digest *digest)
{
    return digest->text + strlen(berth_digest_algorithm_name(digest)) + 1;
}

bool berth_digest_equal(const berth_digest *a, const berth_digest *b)
{
    return digest_eq(a, b);
}

int berth_digest_compare(const berth_digest *a, const berth_digest *b)
{
    return strcmp(a->text, b->text);
}
