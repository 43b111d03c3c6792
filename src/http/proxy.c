/* http/proxy.c - trusted proxies: which addresses they have, and what their X-Forwarded-For says. */
#include "http/internal.h"

#include <arpa/inet.h>

#include "util/fault.h"

struct network {
    struct http_address address;
    unsigned bits; /* of the 128 */
};

struct http_proxies {
    bool unix_sockets;
    size_t n;
    struct network networks[];
};

static const unsigned char v4_in_v6[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool parse_bare(berth_str text, struct http_address *ret, bool *ret_v4)
{
    char s[HTTP_ADDRESS_TEXT];
    if (!text.n || text.n >= sizeof(s) || memchr(text.p, '\0', text.n))
        return false;
    memcpy(s, text.p, text.n);
    s[text.n] = '\0';
    struct http_address a;
    memcpy(a.bytes, v4_in_v6, sizeof(v4_in_v6));
    *ret_v4 = inet_pton(AF_INET, s, a.bytes + 12) == 1;
    if (!*ret_v4 && inet_pton(AF_INET6, s, a.bytes) != 1)
        return false;
    *ret = a;
    return true;
}

bool http_address_parse(berth_str text, struct http_address *ret)
{
    bool v4;
    berth_str host = text, rest;
    if (text.n && text.p[0] == '[') {
        if (!str_cut(str_from_offset(text, 1), ']', &host, &rest) || (rest.n && rest.p[0] != ':'))
            return false;
        return parse_bare(host, ret, &v4) && !v4;
    }
    if (parse_bare(text, ret, &v4))
        return true;
    return str_cut(text, ':', &host, &rest) && parse_bare(host, ret, &v4) && v4;
}

void http_address_print(const struct http_address *a, char out[HTTP_ADDRESS_TEXT])
{
    bool v4 = memcmp(a->bytes, v4_in_v6, sizeof(v4_in_v6)) == 0;
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->bytes + 12 : a->bytes, out, HTTP_ADDRESS_TEXT))
        out[0] = '\0';
}

static bool parse_network(berth_str text, struct network *ret)
{
    berth_str address, bits;
    bool v4, cut = str_cut(text, '/', &address, &bits);
    uint64_t n = 0;
    if (!parse_bare(address, &ret->address, &v4) || (cut && !str_to_u64(bits, &n)) || n > (v4 ? 32 : 128))
        return false;
    ret->bits = !cut ? 128 : (unsigned)n + (v4 ? 96 : 0);
    return true;
}

int http_proxies_new(const char *const *list, size_t n, struct http_proxies **ret_p, berth_error *err)
{
    CLEANUP(freep)
    struct http_proxies *p = fault_hit() ? NULL : mem_zalloc(1, sizeof(*p) + n * sizeof(p->networks[0]));
    if (!p)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for %zu trusted proxies", n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], "unix") == 0)
            p->unix_sockets = true;
        else if (!parse_network(str_from(list[i]), &p->networks[p->n++]))
            return berth_error_set(err, BERTH_E_INVALID, "'%s' is neither an address nor a network", list[i]);
    }
    *ret_p = steal(&p);
    return BERTH_OK;
}

void http_proxies_free(struct http_proxies *p)
{
    mem_free(p);
}

static bool within(const struct network *net, const struct http_address *a)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(net->address.bytes, a->bytes, whole) != 0)
        return false;
    return !rest || (net->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

bool http_proxies_trust(const struct http_proxies *p, const struct http_address *a)
{
    if (!a)
        return p->unix_sockets;
    for (size_t i = 0; i < p->n; i++)
        if (within(&p->networks[i], a))
            return true;
    return false;
}

bool http_forwarded_for(const struct http_proxies *p, berth_str list, struct http_address *ret)
{
    bool found = false;
    while (list.n) {
        size_t start = list.n;
        while (start > 0 && list.p[start - 1] != ',')
            start--;
        berth_str one = str_trim(str_from_offset(list, start));
        list = str_head(list, start ? start - 1 : 0);
        struct http_address a;
        if (!one.n)
            continue;
        if (!http_address_parse(one, &a))
            break; /* what stands left of it came through someone we cannot name */
        *ret = a;
        found = true;
        if (!http_proxies_trust(p, &a))
            break;
    }
    return found;
}
