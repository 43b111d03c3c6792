/* repo/session_id.c - see session_id.h. */
#include "repo/session_id.h"

enum { SIGNED = 10, BYTES = 16 }; /* the last six bytes sign the others */

static void sign(const struct session_ids *ids, berth_str repository, int64_t number, unsigned char id[BYTES])
{
    unsigned char sum[HASH_MAX_SIZE];
    berth_hash h;
    hash_init(&h, HASH_SHA256);
    hash_update(&h, ids->secret, sizeof(ids->secret));
    hash_update(&h, id, SIGNED);
    hash_update(&h, &number, sizeof(number));
    hash_update(&h, repository.p, repository.n);
    hash_final(&h, sum);
    memcpy(id + SIGNED, sum, BYTES - SIGNED);
}

/* Eight, four, four, four and twelve digits. */
static bool dash_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

static void print(const unsigned char id[BYTES], char ret_id[SESSION_ID_SIZE])
{
    char hex[2 * BYTES + 1];
    hex_encode(id, BYTES, hex);
    const char *from = hex;
    for (size_t i = 0; i < SESSION_ID_SIZE - 1; i++)
        ret_id[i] = dash_at(i) ? '-' : *from++;
    ret_id[SESSION_ID_SIZE - 1] = '\0';
}

void session_id_make(struct session_ids *ids, berth_str repository, int64_t number,
                     enum hash_algorithm algorithm, int64_t expires_at, char ret_id[SESSION_ID_SIZE])
{
    unsigned char id[BYTES];
    uint64_t end = (uint64_t)(expires_at + 999) / 1000;
    uint64_t serial = atomic_fetch_add(&ids->next, 1);
    for (unsigned i = 0; i < 4; i++)
        id[i] = (unsigned char)(end >> (24 - 8 * i));
    id[4] = (unsigned char)serial;
    id[5] = (unsigned char)(serial >> 8);
    id[6] = (unsigned char)(0x80 | (serial >> 16 & 0x0f)); /* the version */
    id[7] = (unsigned char)(serial >> 20);
    id[8] = (unsigned char)(0x80 | (algorithm == HASH_SHA512 ? 0x20 : 0) |
                            (serial >> 28 & 0x1f)); /* the variant */
    id[9] = (unsigned char)(serial >> 33);
    sign(ids, repository, number, id);
    print(id, ret_id);
}

static bool parse(berth_str text, unsigned char id[BYTES])
{
    char again[SESSION_ID_SIZE];
    size_t n = 0;
    if (text.n != SESSION_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char ch = text.p[i];
        if (dash_at(i))
            continue;
        unsigned digit = ch >= '0' && ch <= '9' ? (unsigned)(ch - '0') : (unsigned)(ch - 'a') + 10;
        if (digit > 15)
            return false;
        id[n / 2] = (unsigned char)(n % 2 ? id[n / 2] | digit : digit << 4);
        n++;
    }
    print(id, again); /* dashes, and one spelling for each name */
    return memcmp(again, text.p, text.n) == 0;
}

bool session_id_read(const struct session_ids *ids, berth_str repository, int64_t number, berth_str text,
                     enum hash_algorithm *ret_algorithm, int64_t *ret_expires_at)
{
    unsigned char id[BYTES], own[BYTES], difference = 0;
    if (!parse(text, id))
        return false;
    memcpy(own, id, SIGNED);
    sign(ids, repository, number, own);
    for (size_t i = SIGNED; i < BYTES; i++)
        difference |= own[i] ^ id[i];
    if (difference)
        return false;
    uint32_t end = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
    *ret_algorithm = id[8] & 0x20 ? HASH_SHA512 : HASH_SHA256;
    *ret_expires_at = (int64_t)end * 1000;
    return true;
}
