/* http/options.c - what the caller asked for becomes the server's own: copied, checked, defaults filled in.
 */
#include "http/internal.h"

static void set_defaults(struct http_server *s, const struct http_options *opts, unsigned cores)
{
    s->limits = opts->limits;
    s->timeouts = opts->timeouts;
#define DEFAULT(field, value)                                                                                \
    if (!(field))                                                                                            \
    (field) = (value)
    DEFAULT(s->limits.header_bytes, 32 * KIB);
    DEFAULT(s->limits.header_count, 100);
    DEFAULT(s->limits.uri_bytes, 16 * KIB);
    DEFAULT(s->limits.connections, 16384);
    DEFAULT(s->limits.drain_bytes, GIB);
    DEFAULT(s->limits.buffer_bytes, 512 * KIB);
    DEFAULT(s->limits.buffers_total, 256 * MIB);
    DEFAULT(s->timeouts.header, 30000);
    DEFAULT(s->timeouts.body, 30000);
    DEFAULT(s->timeouts.body_rate, 500);
    DEFAULT(s->timeouts.idle, 75000);
    DEFAULT(s->timeouts.drain, 30000);
    DEFAULT(s->timeouts.stop, 30000);
#undef DEFAULT
    s->socket_mode = opts->socket_mode;
    s->n_loops = opts->loops ? opts->loops : cores;
    s->n_workers = opts->workers ? opts->workers : MAX(32, 4 * cores);
}

/* "Name: value", as the operator wrote it. */
static int add_header(struct http_server *s, const char *line, struct http_item ***end, berth_error *err)
{
    berth_str name, value;
    bool cut = str_cut(str_from(line), ':', &name, &value);
    value = str_trim(value);
    if (!cut || !http_is_token(name) || !http_is_field_value(value))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is not a header line", line);
    struct http_item *item = berth_arena_alloc(&s->arena, sizeof(*item));
    if (item) {
        item->name = berth_arena_str(&s->arena, name);
        item->value = berth_arena_str(&s->arena, value);
    }
    if (!item || !item->name.p || !item->value.p)
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for a header line");
    **end = item;
    *end = &item->next;
    return BERTH_OK;
}

int http_options_apply(struct http_server *s, const struct http_options *opts, unsigned cores,
                       berth_error *err)
{
    set_defaults(s, opts, cores);
    berth_str prefix = str_from(opts->prefix);
    while (prefix.n && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    if (prefix.n && prefix.p[0] != '/')
        return berth_error_set(err, BERTH_E_INVALID, "the prefix '%s' does not start with '/'", opts->prefix);
    s->prefix = berth_arena_dup(&s->arena, prefix);
    s->server_name = opts->server_name ? berth_arena_dup(&s->arena, str_from(opts->server_name)) : NULL;
    if (!s->prefix || (opts->server_name && !s->server_name))
        return berth_error_set(err, BERTH_E_NOMEM, "no memory for a server");
    if (opts->server_name && !http_is_field_value(str_from(opts->server_name)))
        return berth_error_set(err, BERTH_E_INVALID, "the server's name does not fit a header");
    struct http_item **end = &s->headers;
    for (size_t i = 0; i < opts->n_headers; i++) {
        int r = add_header(s, opts->headers[i], &end, err);
        if (r != BERTH_OK)
            return r;
    }
    int r = http_proxies_new(opts->trusted_proxies, opts->n_trusted_proxies, &s->proxies, err);
    if (r != BERTH_OK)
        return r;
    if (s->limits.connections_per_peer || s->limits.requests_per_peer) {
        s->peers = http_peers_new(s->limits.connections_per_peer, s->limits.requests_per_peer);
        if (!s->peers)
            return berth_error_set(err, BERTH_E_NOMEM, "no memory to count clients");
    }
    return BERTH_OK;
}
