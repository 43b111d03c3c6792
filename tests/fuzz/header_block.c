/* tests/fuzz/header_block.c - the checker of header blocks: the same verdict however the bytes arrive, and
 * what passes has one meaning only. */
#include "fuzz.h"
#include "http/parser.h"

static bool inside(berth_str s, const uint8_t *data, size_t size)
{
    return s.n == 0 || (s.p >= (const char *)data && s.p + s.n <= (const char *)data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_block_limits limits = {.bytes = 4096, .count = 20, .uri = 1024};
    const char *p = (const char *)data;
    size_t at = 0, end = 0, at_slow = 0, end_slow = 0;
    int found = http_block_scan(p, size, &at, &end), found_slow = 0;
    for (size_t n = 1; n <= size && found_slow == 0; n++)
        found_slow = http_block_scan(p, n, &at_slow, &end_slow);
    require(found == found_slow && end == end_slow && end <= size);
    if (found != 1)
        return 0;

    struct http_field fields[20];
    struct http_block b;
    struct http_refusal why = {.reason = NULL};
    int status = http_block_parse(p, end, &limits, fields, &b, &why);
    require(status == 0 || (status >= 400 && status <= 505 && why.reason && why.text.n <= 80));
    if (status)
        return 0;
    require(end <= limits.bytes && b.n_fields <= limits.count && b.target.n && b.target.n <= limits.uri);
    require(http_is_token(b.method) && inside(b.method, data, end) && inside(b.target, data, end));
    require(!b.chunked || (b.content_length < 0 && b.minor == 1));
    require(b.minor == 0 || b.host.p);
    size_t lengths = 0, codings = 0, hosts = 0;
    for (size_t i = 0; i < b.n_fields; i++) {
        require(http_is_token(fields[i].name) && http_is_field_value(fields[i].value));
        require(inside(fields[i].name, data, end) && inside(fields[i].value, data, end));
        lengths += str_eq_nocase(fields[i].name, STR("content-length"));
        codings += str_eq_nocase(fields[i].name, STR("transfer-encoding"));
        hosts += str_eq_nocase(fields[i].name, STR("host"));
    }
    require(lengths == (b.content_length >= 0) && codings == b.chunked && hosts <= 1 &&
            lengths + codings <= 1);
    /* no verdict is asked for here, only that llhttp reads it in peace */
    struct http_chunked *k = NULL;
    http_parser_agrees(p, end, &b, &k);
    free(k);
    return 0;
}
