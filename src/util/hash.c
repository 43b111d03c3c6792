/* util/hash.c - the only user of OpenSSL's low-level hash contexts.
 *
 * EVP gives no access to the state, and the state is what lets an upload continue elsewhere, so the
 * deprecated SHA256_CTX is used on purpose, here alone. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "util/hash.h"

#include <assert.h>
#include <openssl/sha.h>

#define STATE_VERSION 1

static_assert(sizeof(SHA256_CTX) <= sizeof(((berth_hash *)0)->state), "state too small");
static_assert(sizeof(SHA512_CTX) <= sizeof(((berth_hash *)0)->state), "state too small");
static_assert(3 + 8 * 8 + 16 + 128 <= HASH_STATE_MAX, "a saved state must fit");

static const struct {
    const char *name;
    size_t size;
} algorithms[HASH_ALGORITHMS_] = {
    [HASH_SHA256] = {"sha256", SHA256_DIGEST_LENGTH},
    [HASH_SHA512] = {"sha512", SHA512_DIGEST_LENGTH},
};

static SHA256_CTX *c256(berth_hash *h)
{
    return (SHA256_CTX *)(void *)h->state;
}

static SHA512_CTX *c512(berth_hash *h)
{
    return (SHA512_CTX *)(void *)h->state;
}

const char *hash_name(enum hash_algorithm a)
{
    return algorithms[a].name;
}

bool hash_by_name(berth_str name, enum hash_algorithm *ret)
{
    for (unsigned i = 0; i < HASH_ALGORITHMS_; i++)
        if (str_eq(name, str_from(algorithms[i].name))) {
            *ret = (enum hash_algorithm)i;
            return true;
        }
    return false;
}

size_t hash_size(enum hash_algorithm a)
{
    return algorithms[a].size;
}

void hash_init(berth_hash *h, enum hash_algorithm a)
{
    memset(h, 0, sizeof(*h));
    h->algorithm = a;
    if (a == HASH_SHA256)
        SHA256_Init(c256(h));
    else
        SHA512_Init(c512(h));
}

void hash_update(berth_hash *h, const void *p, size_t n)
{
    if (h->algorithm == HASH_SHA256)
        SHA256_Update(c256(h), p, n);
    else
        SHA512_Update(c512(h), p, n);
}

size_t hash_final(berth_hash *h, unsigned char out[HASH_MAX_SIZE])
{
    if (h->algorithm == HASH_SHA256)
        SHA256_Final(out, c256(h));
    else
        SHA512_Final(out, c512(h));
    return hash_size(h->algorithm);
}

static unsigned char *put(unsigned char *at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
    return at + bytes;
}

static uint64_t get(const unsigned char **at, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | (*at)[i];
    *at += bytes;
    return v;
}

/* Layout: version, algorithm, length of the partial block; eight words; bits hashed; the partial block. */
size_t hash_save(const berth_hash *h, unsigned char out[HASH_STATE_MAX])
{
    berth_hash copy = *h;
    unsigned char *at = put(put(out, STATE_VERSION, 1), h->algorithm, 1);
    if (h->algorithm == HASH_SHA256) {
        SHA256_CTX *c = c256(&copy);
        at = put(at, c->num, 1);
        for (int i = 0; i < 8; i++)
            at = put(at, c->h[i], 4);
        at = put(put(at, c->Nh, 4), c->Nl, 4);
        memcpy(at, c->data, c->num);
        return (size_t)(at - out) + c->num;
    }
    SHA512_CTX *c = c512(&copy);
    at = put(at, c->num, 1);
    for (int i = 0; i < 8; i++)
        at = put(at, c->h[i], 8);
    at = put(put(at, c->Nh, 8), c->Nl, 8);
    memcpy(at, c->u.p, c->num);
    return (size_t)(at - out) + c->num;
}

bool hash_load(berth_hash *h, const void *p, size_t n)
{
    const unsigned char *at = p;
    if (n < 3 || at[0] != STATE_VERSION || at[1] >= HASH_ALGORITHMS_)
        return false;
    enum hash_algorithm a = (enum hash_algorithm)at[1];
    unsigned block = a == HASH_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK, word = block / 16, num = at[2];
    if (num >= block || n != 3 + 10 * (size_t)word + num)
        return false;
    at += 3;
    hash_init(h, a);
    if (a == HASH_SHA256) {
        SHA256_CTX *c = c256(h);
        for (int i = 0; i < 8; i++)
            c->h[i] = (SHA_LONG)get(&at, 4);
        c->Nh = (SHA_LONG)get(&at, 4);
        c->Nl = (SHA_LONG)get(&at, 4);
        c->num = num;
        memcpy(c->data, at, num);
        return true;
    }
    SHA512_CTX *c = c512(h);
    for (int i = 0; i < 8; i++)
        c->h[i] = get(&at, 8);
    c->Nh = get(&at, 8);
    c->Nl = get(&at, 8);
    c->num = num;
    memcpy(c->u.p, at, num);
    return true;
}

void hex_encode(const void *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = '\0';
}
