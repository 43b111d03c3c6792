/* client/client_curl_route.c - tells a handle of libcurl's how its connection is to be made: certificates,
 * proxies, addresses. */
#include "client/client_curl.h"

struct curl_slist *curl_route_resolve(const struct route *r, bool *ret_ok)
{
    struct curl_slist *list = NULL;
    *ret_ok = true;
    for (size_t i = 0; r->resolve[i]; i++) {
        struct curl_slist *longer = curl.slist_append(list, r->resolve[i]);
        if (!longer) {
            curl.slist_free_all(list);
            *ret_ok = false;
            return NULL;
        }
        list = longer;
    }
    return list;
}

static long family_of(berth_family f)
{
    return f == BERTH_FAMILY_IPV4   ? CURL_IPRESOLVE_V4
           : f == BERTH_FAMILY_IPV6 ? CURL_IPRESOLVE_V6
                                    : CURL_IPRESOLVE_WHATEVER;
}

bool curl_route_set_up(CURL *e, const struct route *r, struct curl_slist *resolve)
{
    bool ok = curl.easy_setopt(e, CURLOPT_IPRESOLVE, family_of(r->family)) == CURLE_OK;
    if (r->proxy)
        ok &= curl.easy_setopt(e, CURLOPT_PROXY, r->proxy) == CURLE_OK;
    if (r->no_proxy)
        ok &= curl.easy_setopt(e, CURLOPT_NOPROXY, r->no_proxy) == CURLE_OK;
    if (resolve)
        ok &= curl.easy_setopt(e, CURLOPT_RESOLVE, resolve) == CURLE_OK;
    return ok;
}

/* Trusted beside the system's, which stay in a folder of their own: CURLOPT_CAPATH. */
static bool trust(CURL *e, const berth_buf *authorities)
{
    struct curl_blob blob = {.data = authorities->p, .len = authorities->n, .flags = CURL_BLOB_COPY};
    return curl.easy_setopt(e, CURLOPT_CAINFO_BLOB, authorities->n ? &blob : NULL) == CURLE_OK;
}

static bool show(CURL *e, const char *certificate, const char *key)
{
    return curl.easy_setopt(e, CURLOPT_SSLCERT, certificate) == CURLE_OK &&
           curl.easy_setopt(e, CURLOPT_SSLKEY, key) == CURLE_OK;
}

bool curl_route_aim(CURL *e, const struct route *r, const char *ca_file, const struct exchange *x,
                    bool *ret_shows)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    struct route_certs other = {.authorities = BERTH_BUF_INIT(0)};
    http_uri u;
    bool ok = curl.easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, x->home ? r->unix_socket : NULL) == CURLE_OK;
    if (!x->home && r->folders[0] && http_uri_parse(str_from(x->url), &u) && u.tls)
        ok &= route_find_certs(r, u.authority, &arena, &other, NULL) == BERTH_OK;
    const struct route_certs *certs = x->home ? &r->own : &other;
    bool own = x->home && r->certificate;
    *ret_shows = own || certs->certificate;
    ok &= show(e, own ? r->certificate : certs->certificate, own ? r->key : certs->key);
    ok &= ca_file || trust(e, &certs->authorities);
    berth_buf_done(&other.authorities);
    return ok;
}
