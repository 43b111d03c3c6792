/* oci/schema1.c - see schema1.h. A signed manifest is its payload, cut before the last brace to make room for
 * the signatures; each of these says where ("formatLength") and what was cut off ("formatTail"). */
#include "oci/schema1.h"

#include "oci/json.h"
#include "util/base64.h"

#define PROTECTED_MAX (4 * KIB)

static const oci_json_limits limits = {.max_depth = 32, .max_containers = 100000, .max_values = 1000000};

static int no_schema1(berth_error *err)
{
    return berth_error_set(err, BERTH_E_INVALID, "this is no signed manifest of Docker's schema 1");
}

/* NOMEM is told from all that is wrong with foreign bytes. */
static int refuse(int r, berth_error *err)
{
    return r == BERTH_E_NOMEM ? no_memory(err) : no_schema1(err);
}

/* base64 below @key, as bytes. */
static int read_base64(const json_t *j, const char *key, berth_buf *out, berth_error *err)
{
    berth_str text = STR("");
    if (oci_json_get_string(j, key, &text, NULL) != BERTH_OK || !text.n)
        return no_schema1(err);
    if (!base64_decode(text, out))
        return no_schema1(err);
    return berth_buf_failed(out) ? no_memory(err) : BERTH_OK;
}

/* Where the first signature says that its payload was cut, and what came then. */
static int read_format(const json_t *root, size_t *ret_length, berth_buf *tail, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf header = BERTH_BUF_INIT(PROTECTED_MAX);
    CLEANUP(oci_json_unrefp) json_t *format = NULL;
    json_t *signatures = NULL;
    json_int_t length = 0;
    bool present = false;
    if (oci_json_get(root, "signatures", JSON_ARRAY, &signatures, NULL) != BERTH_OK ||
        !json_is_object(json_array_get(signatures, 0)))
        return no_schema1(err);
    int r = read_base64(json_array_get(signatures, 0), "protected", &header, err);
    if (r == BERTH_OK)
        r = oci_json_load_object(header.p, header.n, &limits, &format, NULL);
    if (r != BERTH_OK)
        return refuse(r, err);
    r = read_base64(format, "formatTail", tail, err);
    if (r != BERTH_OK)
        return r;
    if (oci_json_get_integer(format, "formatLength", &length, &present, NULL) != BERTH_OK || length <= 0)
        return no_schema1(err);
    *ret_length = (size_t)length;
    return BERTH_OK;
}

/* One brace among blanks: with anything else the payload would differ from what stands in the manifest. */
static bool is_tail(berth_str tail)
{
    size_t braces = 0;
    for (size_t i = 0; i < tail.n; i++)
        if (tail.p[i] == '}')
            braces++;
        else if (!memchr(" \t\r\n", tail.p[i], 4))
            return false;
    return braces == 1;
}

/* ',"signatures":[…]}' and nothing else: what isn't signed can't change what is. */
static int check_rest(berth_str rest, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf alone = BERTH_BUF_INIT(rest.n + 1);
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    if (!str_starts(rest, STR(",")))
        return no_schema1(err);
    berth_buf_putc(&alone, '{');
    berth_buf_add_str(&alone, str_from_offset(rest, 1));
    if (berth_buf_failed(&alone))
        return no_memory(err);
    int r = oci_json_load_object(alone.p, alone.n, &limits, &j, NULL);
    if (r != BERTH_OK)
        return refuse(r, err);
    return json_object_size(j) == 1 && json_object_get(j, "signatures") ? BERTH_OK : no_schema1(err);
}

static int check_payload(berth_str payload, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *j = NULL;
    json_int_t version = 0;
    bool present = false;
    int r = oci_json_load_object(payload.p, payload.n, &limits, &j, NULL);
    if (r == BERTH_OK)
        r = oci_json_get_integer(j, "schemaVersion", &version, &present, NULL);
    if (r != BERTH_OK)
        return refuse(r, err);
    return version == 1 && !json_object_get(j, "signatures") ? BERTH_OK : no_schema1(err);
}

int oci_schema1_payload(berth_str bytes, berth_buf *out, berth_error *err)
{
    CLEANUP(oci_json_unrefp) json_t *root = NULL;
    CLEANUP(berth_buf_done) berth_buf tail = BERTH_BUF_INIT(PROTECTED_MAX);
    CLEANUP(berth_buf_done) berth_buf payload = BERTH_BUF_INIT(bytes.n + PROTECTED_MAX);
    size_t length = 0;
    int r = oci_json_load_object(bytes.p, bytes.n, &limits, &root, NULL);
    if (r != BERTH_OK)
        return refuse(r, err);
    r = read_format(root, &length, &tail, err);
    if (r != BERTH_OK)
        return r;
    if (length >= bytes.n || !is_tail(berth_buf_str(&tail)))
        return no_schema1(err);
    berth_buf_add(&payload, bytes.p, length);
    berth_buf_add_str(&payload, berth_buf_str(&tail));
    if (berth_buf_failed(&payload))
        return no_memory(err);
    r = check_rest(str_from_offset(bytes, length), err);
    if (r == BERTH_OK)
        r = check_payload(berth_buf_str(&payload), err);
    if (r != BERTH_OK)
        return r;
    berth_buf_add_str(out, berth_buf_str(&payload));
    return berth_buf_failed(out) ? no_memory(err) : BERTH_OK;
}

int oci_schema1_compare(berth_str bytes, const berth_digest *digest)
{
    berth_digest have;
    digest_of((enum hash_algorithm)digest->algorithm, bytes.p, bytes.n, &have);
    if (digest_eq(&have, digest))
        return BERTH_OK;
    CLEANUP(berth_buf_done) berth_buf payload = BERTH_BUF_INIT(bytes.n + PROTECTED_MAX);
    int r = oci_schema1_payload(bytes, &payload, NULL);
    if (r != BERTH_OK)
        return r == BERTH_E_NOMEM ? r : BERTH_E_DIGEST;
    digest_of((enum hash_algorithm)digest->algorithm, payload.p, payload.n, &have);
    return digest_eq(&have, digest) ? BERTH_OK : BERTH_E_DIGEST;
}
