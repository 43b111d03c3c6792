/* http/admission.c - who is let in: connections and requests in flight, in all and of one client.
 *
 * The limits on connections guard memory and descriptors; those on requests guard disk and workers. Requests
 * behind a trusted proxy count for the client that it names, its connections for nobody. */
#include "http/internal.h"

#define SURPLUS 256 /* connections above a limit that are told so; beyond these they are just closed */

/* It is told so, with TLS after the handshake, or not at all. */
static int refuse(struct http_conn *c, int status)
{
    http_server *s = c->loop->server;
    c->surplus = atomic_fetch_add(&s->surplus, 1) < SURPLUS;
    if (!c->surplus)
        atomic_fetch_sub(&s->surplus, 1);
    return c->surplus ? status : -1;
}

int http_conn_admit(struct http_conn *c)
{
    http_server *s = c->loop->server;
    if (atomic_load(&s->connections) > s->limits.connections)
        return refuse(c, 503);
    if (!s->limits.connections_per_peer || c->is_unix || c->trusted)
        return 0;
    c->counted = http_peers_enter(s->peers, &c->address, HTTP_PEER_CONNECTIONS);
    return c->counted ? 0 : refuse(c, 429);
}

void http_conn_dismiss(struct http_conn *c)
{
    http_server *s = c->loop->server;
    if (c->counted)
        http_peers_leave(s->peers, &c->address, HTTP_PEER_CONNECTIONS);
    if (c->surplus)
        atomic_fetch_sub(&s->surplus, 1);
    c->counted = c->surplus = false;
}

int http_req_admit(struct http_req *req, struct http_refusal *ret_why)
{
    http_server *s = req->server;
    if (s->limits.requests) {
        if (atomic_fetch_add(&s->requests, 1) >= s->limits.requests) {
            atomic_fetch_sub(&s->requests, 1);
            ret_why->reason = "there are more requests in flight than the limit";
            ret_why->limit = s->limits.requests;
            return 503;
        }
        req->counted = true;
    }
    if (s->limits.requests_per_peer && req->has_address) {
        req->counted_by_peer = http_peers_enter(s->peers, &req->address, HTTP_PEER_REQUESTS);
        if (!req->counted_by_peer) {
            http_req_dismiss(req);
            ret_why->reason = "this address has more requests in flight than the limit";
            ret_why->limit = s->limits.requests_per_peer;
            return 429;
        }
    }
    return 0;
}

void http_req_dismiss(struct http_req *req)
{
    http_server *s = req->server;
    if (req->counted)
        atomic_fetch_sub(&s->requests, 1);
    if (req->counted_by_peer)
        http_peers_leave(s->peers, &req->address, HTTP_PEER_REQUESTS);
    req->counted = req->counted_by_peer = false;
}
