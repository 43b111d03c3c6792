/* http/connection.c - one connection: the state machine between a socket and the handlers of its requests.
 *
 * Events (the socket, a worker that is back, a free buffer, a deadline) end in advance(): it reads when there
 * is something to read, then lets step_…() move the connection on until it has to wait. */
#include "http/internal.h"

#include <assert.h>
#include <errno.h>

#include "http/parser.h"
#include "util/clock.h"

#define TURNS       64 /* steps before other connections get their turn */
#define SLOW_PART   8  /* less than this part of its buffer in a tick: a slow body */
#define HEADER_READ (16 * KIB)

static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

static const unsigned next_states[CONN_STATES_] = {
    [CONN_HANDSHAKE] = 1u << CONN_IDLE | 1u << CONN_ANSWER | 1u << CONN_GONE,
    [CONN_IDLE] = 1u << CONN_HEADER | 1u << CONN_ANSWER | 1u << CONN_GONE,
    [CONN_HEADER] = 1u << CONN_BODY | 1u << CONN_ANSWER | 1u << CONN_GONE,
    [CONN_BODY] = 1u << CONN_ANSWER | 1u << CONN_GONE,
    [CONN_ANSWER] = 1u << CONN_IDLE | 1u << CONN_DRAIN | 1u << CONN_LINGER | 1u << CONN_GONE,
    [CONN_DRAIN] = 1u << CONN_IDLE | 1u << CONN_LINGER | 1u << CONN_GONE,
    [CONN_LINGER] = 1u << CONN_GONE,
};

static void begin_answer(struct http_conn *c);

static void move(struct http_conn *c, enum http_conn_state to)
{
    assert(next_states[c->state] >> to & 1u);
    const struct http_timeouts *t = &c->loop->server->timeouts;
    const uint32_t within[CONN_STATES_] = {
        [CONN_HANDSHAKE] = t->header,   [CONN_IDLE] = t->idle,   [CONN_HEADER] = t->header,
        [CONN_BODY] = t->body,          [CONN_ANSWER] = t->body, [CONN_DRAIN] = t->drain,
        [CONN_LINGER] = HTTP_LINGER_MS,
    };
    c->state = (unsigned char)to;
    c->deadline_ms = c->loop->now_ms + within[to];
    c->mark = 0;
}

/* --- input that has been received and not used --- */

/* What points into the loop's read buffer moves to memory of its own; nothing left, nothing kept. */
static bool hold_input(struct http_conn *c)
{
    if (!c->in_n) {
        if (c->hold.p)
            berth_buf_done(&c->hold);
        c->in = NULL;
        return true;
    }
    if (c->hold.p && c->in >= c->hold.p && c->in < c->hold.p + c->hold.cap) {
        memmove(c->hold.p, c->in, c->in_n);
        c->hold.n = c->in_n;
    } else {
        berth_buf_reset(&c->hold);
        berth_buf_add(&c->hold, c->in, c->in_n);
    }
    c->in = c->hold.p;
    return !berth_buf_failed(&c->hold);
}

static ssize_t receive(struct http_conn *c, void *p, size_t n)
{
    if (c->tls) {
        unsigned wants;
        ssize_t r = http_tls_recv(c->tls, p, n, &wants);
        c->more = r == (ssize_t)n;
        if (wants & HTTP_WRITE)
            c->tls_wants |= HTTP_WRITE;
        return r;
    }
    ssize_t r = recv(c->fd, p, n, 0);
    if (r >= 0)
        return r;
    return errno == EAGAIN || errno == EINTR ? HTTP_IO_AGAIN : HTTP_IO_BROKEN;
}

/* --- the end of a request, and of a connection --- */

static void finish_request(struct http_conn *c, bool aborted)
{
    struct http_req *req = c->req;
    http_pieces_drop(c);
    c->req = NULL;
    req->pub.aborted = aborted;
    req->pub.body_received = c->body.received;
    const struct http_answer *a = &req->answer;
    req->pub.status = a->sent ? a->status : 0;
    http_req_dismiss(req);
    req->pub.bytes_sent = a->sent > a->head.n ? a->sent - a->head.n : 0;
    if (a->sent)
        http_count(&c->loop->requests, 1);
    if (req->server->app.finished)
        req->server->app.finished(&req->pub);
    http_req_release(req);
}

static void clear_away(struct http_conn *c)
{
    if (c->req)
        finish_request(c, true);
    http_body_forget(c);
    berth_buf_done(&c->hold);
    http_loop_forget(c);
}

static void break_off(struct http_conn *c)
{
    if (c->state == CONN_GONE)
        return;
    move(c, CONN_GONE);
    http_buffer_wait_no_more(c);
    http_loop_close(c);
    if (!c->req || !c->req->busy)
        clear_away(c); /* else when the worker is back */
}

/* The client still sees what was sent to it: closing at once would reset, were bytes of its unread. */
static void half_close(struct http_conn *c)
{
    if (c->tls)
        http_tls_shutdown(c->tls);
    shutdown(c->fd, SHUT_WR);
    c->in_n = 0;
    bool sending = !c->body.complete && c->state == CONN_ANSWER &&
                   !atomic_load_explicit(&c->loop->server->stopping, memory_order_relaxed);
    move(c, CONN_LINGER);
    if (sending)
        c->deadline_ms = c->loop->now_ms + c->loop->server->timeouts.drain;
}

/* --- answers of the server's own --- */

static void refuse_for(struct http_conn *c, int status, const struct http_refusal *why)
{
    struct http_req *req = c->req;
    const struct http_app *app = &c->loop->server->app;
    if (status != 500)
        http_count(&c->loop->refused, 1);
    http_respond(&req->pub, status);
    if (status == 429 || status == 503)
        http_set_header(&req->pub, "Retry-After", "%d", 1);
    if (app->refuse)
        app->refuse(&req->pub, status, why);
}

static void refuse(struct http_conn *c, int status, const char *reason)
{
    refuse_for(c, status, &(struct http_refusal){.reason = reason});
}

/* Before there is a request that could be described; it is the last one on this connection. */
static void refuse_early(struct http_conn *c, int status, const struct http_refusal *why)
{
    if (!c->req)
        c->req = http_req_new(c);
    if (!c->req) {
        break_off(c);
        return;
    }
    refuse_for(c, status, why);
    http_body_lose(c);
    begin_answer(c);
}

/* It is one connection too many. */
static void turn_away(struct http_conn *c, int status)
{
    const struct http_limits *limits = &c->loop->server->limits;
    const struct http_refusal by_peer = {.reason = "this address has more connections than the limit",
                                         .limit = limits->connections_per_peer};
    const struct http_refusal in_all = {.reason = "there are more connections than the limit",
                                        .limit = limits->connections};
    refuse_early(c, status, status == 429 ? &by_peer : &in_all);
}

/* --- reading --- */

/* Received, the end, or a break: what every read does with its result. */
static bool received(struct http_conn *c, ssize_t n)
{
    if (n > 0)
        return true;
    if (n == 0)
        c->ended = true;
    else if (n == HTTP_IO_BROKEN)
        break_off(c);
    return false;
}

/* An identity body that is streamed goes straight into its buffer; anything else by way of the read buffer.
 */
static void read_body(struct http_conn *c)
{
    http_body_take(c);
    size_t room = c->in_n ? 0 : http_body_room(c, true);
    if (!c->body.chunked)
        room = (size_t)MIN((uint64_t)room, c->body.left);
    if (!room)
        return;
    char *direct = http_body_direct(c);
    ssize_t r = direct ? receive(c, direct, room) : receive(c, c->loop->read_buffer, MIN(room, HTTP_SCRATCH));
    if (!received(c, r))
        return;
    if (direct) {
        http_body_filled(c, (size_t)r);
        return;
    }
    c->in = c->loop->read_buffer;
    c->in_n = (size_t)r;
    http_body_take(c);
}

/* --- a header --- */

static void read_header(struct http_conn *c)
{
    if (!c->in_n) {
        ssize_t r = receive(c, c->loop->read_buffer, HTTP_SCRATCH);
        if (!received(c, r))
            return;
        c->in = c->loop->read_buffer;
        c->in_n = (size_t)r;
        return;
    }
    char *at = hold_input(c) ? berth_buf_reserve(&c->hold, HEADER_READ) : NULL;
    c->in = c->hold.p;
    if (!at) {
        break_off(c);
        return;
    }
    ssize_t r = receive(c, at, HEADER_READ);
    if (!received(c, r))
        return;
    berth_buf_grow(&c->hold, (size_t)r);
    c->in_n = c->hold.n;
}

/* RFC 9112 section 2.2: an empty line before a request is ignored; one, no more. */
static bool skip_blank(struct http_conn *c)
{
    if (c->blank || c->in_n < 2 || c->in[0] != '\r' || c->in[1] != '\n')
        return false;
    c->blank = true;
    http_input_use(c, 2);
    return true;
}

static const char short_of_memory[] = "the server is short of memory; try again";

/* The line that the scanner stopped at is unfinished or bad. */
static const struct http_refusal *unreadable(const struct http_conn *c, struct http_refusal *ret_why)
{
    ret_why->reason = http_is_token((berth_str){c->in, 1}) ? "each line of the header must end with CR LF"
                                                           : "a request begins with its method";
    http_block_locate(c->in, c->in_n, c->scanned, ret_why);
    return ret_why;
}

static const struct http_refusal *over(const struct http_conn *c, const char *reason, uint64_t limit,
                                       struct http_refusal *ret_why)
{
    ret_why->reason = reason;
    ret_why->limit = limit;
    http_block_locate(c->in, c->in_n, c->scanned, ret_why);
    return ret_why;
}

/* The block is complete: takes it apart and asks the application. Returns a refusal's status, or 0. */
static int begin_request(struct http_conn *c, size_t n, struct http_refusal *ret_why)
{
    http_server *server = c->loop->server;
    const struct http_block_limits limits = {server->limits.header_bytes, server->limits.header_count,
                                             server->limits.uri_bytes};
    struct http_req *req = c->req;
    berth_str block = berth_arena_str(&req->pub.arena, (berth_str){c->in, n});
    http_input_use(c, n);
    if (!block.p) {
        ret_why->reason = short_of_memory;
        return 503;
    }
    int status = http_block_parse(block.p, n, &limits, c->loop->fields, &req->block, ret_why);
    if (status)
        return status;
    req->block.fields = berth_arena_alloc(&req->pub.arena, req->block.n_fields * sizeof(*req->block.fields));
    if (!req->block.fields) {
        ret_why->reason = short_of_memory;
        return 503;
    }
    if (req->block.n_fields)
        memcpy(req->block.fields, c->loop->fields, req->block.n_fields * sizeof(*req->block.fields));

    c->body = (struct http_body){.left = (uint64_t)MAX(req->block.content_length, 0)};
    c->seen = 0;
    c->body.complete = !req->block.chunked && !c->body.left;
    c->body.expects = req->block.expect_continue && !c->body.complete;
    status = http_req_describe(req, ret_why);
    if (status == 400 || status == 503)
        return status;
    c->keep = req->block.keep_alive;
    if (req->pub.method ==
        HTTP_OTHER) { /* llhttp may not know it; the application answers, nobody reads on */
        http_body_lose(c);
    } else if (!http_parser_agrees(block.p, n, &req->block, &c->body.chunked)) {
        ret_why->reason = "the header can be read in more than one way";
        return 400;
    }
    move(c, CONN_BODY);
    if (!status)
        status = http_req_admit(req, ret_why);
    if (status) { /* outside of our prefix, or one too many */
        refuse_for(c, status, ret_why);
        return 0;
    }
    req->collected.max = SIZE_MAX / 2;
    server->app.route(&req->pub, &req->plan);
    if (req->pub.method == HTTP_OTHER)
        req->plan.body = HTTP_BODY_NONE;
    if (req->answer.set)
        return 0;
    if (req->plan.body == HTTP_BODY_STREAM && !http_body_is_small(c))
        http_window_bound(c);
    if (!req->plan.end || (req->plan.body == HTTP_BODY_STREAM && !req->plan.piece))
        refuse(c, 500, "no handler");
    else if (req->plan.body != HTTP_BODY_NONE &&
             http_body_too_long(req, (uint64_t)MAX(req->block.content_length, 0)))
        refuse_for(c, 413,
                   &(struct http_refusal){.reason = "the body has more bytes than the limit",
                                          .limit = req->plan.max_body});
    return 0;
}

static bool step_header(struct http_conn *c)
{
    const struct http_limits *limits = &c->loop->server->limits;
    if (c->ended) {
        break_off(c);
        return true;
    }
    if (!c->in_n)
        return false;
    if (skip_blank(c))
        return true;
    if (c->state == CONN_IDLE) {
        c->started_us = clock_mono_us();
        move(c, CONN_HEADER);
    }
    if (c->in_n == 1 && c->in[0] == '\r' && !c->blank)
        return false;

    size_t n;
    struct http_refusal why = {.reason = ""};
    int r = http_block_scan(c->in, c->in_n, &c->scanned, &n);
    if (r < 0) {
        refuse_early(c, 400, unreadable(c, &why));
        return true;
    }
    if (r == 0) {
        if (!c->scanned && c->in_n > limits->uri_bytes + (size_t)64)
            refuse_early(
                c, 414, over(c, "the request target has more bytes than the limit", limits->uri_bytes, &why));
        else if (c->in_n > limits->header_bytes)
            refuse_early(c, 431,
                         over(c, "the header has more bytes than the limit", limits->header_bytes, &why));
        return c->state != CONN_HEADER;
    }

    c->req = http_req_new(c);
    if (!c->req) {
        break_off(c);
        return true;
    }
    int status = begin_request(c, n, &why);
    if (status)
        refuse_early(c, status, &why);
    return true;
}

/* --- the handlers --- */

static void ask_for_body(struct http_conn *c)
{
    if (!c->body.expects || c->in_n)
        return;
    c->body.expects = false;
    c->interim = sizeof(continue_line) - 1;
}

/* False: the socket takes no more for now, or the connection broke. */
static bool send_interim(struct http_conn *c)
{
    while (c->interim && !c->blocked) {
        ssize_t r = http_send_bytes(c, continue_line + sizeof(continue_line) - 1 - c->interim, c->interim);
        if (r == HTTP_IO_BROKEN) {
            break_off(c);
            return false;
        }
        if (r == HTTP_IO_AGAIN)
            c->blocked = true;
        else
            c->interim = (unsigned char)(c->interim - r);
    }
    return !c->interim;
}

/* Which handlers can run now; false: bytes must come first. */
static bool choose_handlers(struct http_conn *c)
{
    struct http_req *req = c->req;
    const bool whole = c->body.complete, as_it_is = whole || c->yields;
    c->yields = false;
    switch (req->plan.body) {
    case HTTP_BODY_NONE:
        req->run_end = true;
        break;
    case HTTP_BODY_COLLECT:
        req->run_end = whole;
        break;
    case HTTP_BODY_STREAM:
        if (!req->plan.begin)
            req->begun = true;
        req->run_begin = !req->begun && (as_it_is || !http_body_is_small(c) || c->body.expects);
        if (!req->begun && !req->run_begin)
            break;
        req->running = atomic_exchange(&req->queued, NULL);
        if (req->running) { /* and more has come behind it, unless it is the last */
            req->run_end = req->running->last;
            break;
        }
        if (req->filling && req->filling->n && (as_it_is || req->filling->n == req->filling->cap))
            req->running = steal(&req->filling);
        req->run_end = whole;
        break;
    }
    return req->run_begin || req->run_end || req->running;
}

static void run_on_worker(struct http_job *job)
{
    struct http_req *req = CONTAINER_OF(job, struct http_req, job);
    do
        http_req_run(req);
    while (http_pieces_next(req));
    http_loop_post(req->conn->loop, req);
}

/* The handlers that were chosen have run. */
static void after_run(struct http_conn *c)
{
    struct http_req *req = c->req;
    req->run_begin = req->run_end = req->starved = false;
    http_pieces_done(c);
}

static bool step_body(struct http_conn *c)
{
    struct http_req *req = c->req;
    if (!send_interim(c) && c->state == CONN_GONE)
        return true;
    if (req->busy) {
        http_pieces_leave(c);
        return false;
    }
    if (!req->answer.set && !req->ended)
        http_body_take(c);
    if (req->fault && !req->answer.set)
        refuse_for(c, req->fault, &req->fault_why);
    if (req->answer.set || req->ended) {
        begin_answer(c);
        return true;
    }
    if (c->ended && !c->body.complete) {
        break_off(c);
        return true;
    }
    if (!req->run_end && !choose_handlers(c)) {
        if (!c->body.complete && (req->begun || req->plan.body == HTTP_BODY_COLLECT))
            ask_for_body(c);
        return c->interim && !c->blocked;
    }
    req->pub.body_received = c->body.received;
    if (req->plan.where == HTTP_WORKER) {
        req->busy = true;
        req->job.run = run_on_worker;
        http_pool_push(req->server->pool, &req->job);
        return true;
    }
    http_req_run(req);
    after_run(c);
    if (req->handed_over && !req->answer.set) {
        req->handed_over = req->ended = false;
        req->plan.where = HTTP_WORKER;
        req->run_end = true;
    }
    return true;
}

/* --- the answer --- */

static void begin_answer(struct http_conn *c)
{
    struct http_req *req = c->req;
    http_server *server = c->loop->server;
    if (!req->answer.set)
        refuse(c, 500, "a handler gave no answer");
    if (c->state != CONN_ANSWER)
        move(c, CONN_ANSWER);
    http_pieces_drop(c);
    http_buffer_wait_no_more(c);
    /* Who waits for 100 Continue may or may not send the body after all: no next request can be found. */
    bool lost = !c->body.complete &&
                (c->body.expects || (!c->body.chunked && c->body.left > server->limits.drain_bytes));
    for (unsigned tries = 0; tries < 2; tries++) {
        bool keep = c->keep && !lost && !c->ended && !req->answer.close_after &&
                    !atomic_load_explicit(&server->stopping, memory_order_relaxed);
        if (http_answer_finish(req, keep)) {
            c->keep = keep;
            c->drained = 0;
            return;
        }
        refuse(c, 500, "a handler's answer was faulty");
    }
    break_off(c);
}

static void next_request(struct http_conn *c)
{
    http_body_forget(c);
    c->blank = false;
    c->scanned = 0;
    move(c, CONN_IDLE);
}

static bool step_answer(struct http_conn *c)
{
    if (c->req->busy)
        return false;
    if (c->in_n && !c->body.complete)
        http_body_take(c);
    if (c->blocked || !send_interim(c))
        return c->state == CONN_GONE;
    int r = http_send(c);
    if (r < 0)
        break_off(c);
    if (r <= 0)
        return r < 0;
    /* The client wanted the end itself, or has sent nothing that we have not read: no reset can come of it.
     */
    bool clean = c->body.complete && !c->in_n && !c->req->block.keep_alive && c->req->block.method.n;
    finish_request(c, false);
    if (c->keep && (c->body.complete || !c->ended)) {
        if (c->body.complete)
            next_request(c);
        else
            move(c, CONN_DRAIN);
        return true;
    }
    if (clean && c->tls)
        http_tls_shutdown(c->tls);
    if (clean || c->ended)
        break_off(c);
    else
        half_close(c);
    return true;
}

static bool step_drain(struct http_conn *c)
{
    http_body_take(c);
    if (c->body.complete) {
        next_request(c);
        return true;
    }
    if (c->ended) {
        break_off(c);
        return true;
    }
    if (!c->keep || c->drained > c->loop->server->limits.drain_bytes) {
        half_close(c);
        return true;
    }
    return false;
}

static bool step_linger(struct http_conn *c)
{
    c->in_n = 0;
    if (!c->ended && c->drained <= c->loop->server->limits.drain_bytes)
        return false;
    break_off(c);
    return true;
}

static void read_linger(struct http_conn *c)
{
    ssize_t r = receive(c, c->loop->read_buffer, HTTP_SCRATCH);
    if (received(c, r))
        c->drained += (uint64_t)r;
}

/* --- TLS --- */

/* A request in plain text on an encrypted port deserves a readable answer: the first byte is looked at before
 * OpenSSL may take it. HTTP_IO_AGAIN: it is not here yet; else whether it begins a method. */
static int speaks_plainly(const struct http_conn *c)
{
    char first = 0;
    ssize_t n = recv(c->fd, &first, 1, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return HTTP_IO_AGAIN;
    return n == 1 && first >= 'A' && first <= 'Z';
}

static bool step_handshake(struct http_conn *c)
{
    if (c->blocked)
        return false;
    int plain = c->greeted ? 0 : speaks_plainly(c);
    if (plain == HTTP_IO_AGAIN) {
        c->tls_wants = HTTP_READ;
        return false;
    }
    c->greeted = true;
    if (plain) {
        http_tls_free(steal(&c->tls));
        refuse_early(c, 400,
                     &(struct http_refusal){.reason = "Client sent an HTTP request to an HTTPS server"});
        return true;
    }
    unsigned wants = 0;
    int r = http_tls_handshake(c->tls, &wants);
    if (r == HTTP_IO_AGAIN) {
        c->tls_wants = (unsigned char)wants;
        return false;
    }
    if (r == HTTP_IO_BROKEN) {
        break_off(c);
        return true;
    }
    if (c->turned_away) {
        turn_away(c, c->turned_away);
        return true;
    }
    int64_t deadline = c->deadline_ms;
    move(c, CONN_IDLE);
    c->deadline_ms = deadline; /* the first request still has to come in time */
    c->more = true;
    return true;
}

/* --- what moves a connection --- */

static void read_some(struct http_conn *c)
{
    switch ((enum http_conn_state)c->state) {
    case CONN_IDLE:
    case CONN_HEADER:
        read_header(c);
        break;
    case CONN_BODY:
    case CONN_DRAIN:
        read_body(c);
        break;
    case CONN_ANSWER:
        if (!c->body.complete && !c->ended)
            read_body(c);
        break;
    case CONN_LINGER:
        read_linger(c);
        break;
    case CONN_HANDSHAKE:
    case CONN_GONE:
    case CONN_STATES_:
        break;
    }
}

static bool step(struct http_conn *c)
{
    switch ((enum http_conn_state)c->state) {
    case CONN_HANDSHAKE:
        return step_handshake(c);
    case CONN_IDLE:
    case CONN_HEADER:
        return step_header(c);
    case CONN_BODY:
        return step_body(c);
    case CONN_ANSWER:
        return step_answer(c);
    case CONN_DRAIN:
        return step_drain(c);
    case CONN_LINGER:
        return step_linger(c);
    case CONN_GONE:
    case CONN_STATES_:
        break;
    }
    return false;
}

static unsigned wanted_events(struct http_conn *c)
{
    unsigned events = c->tls_wants;
    switch ((enum http_conn_state)c->state) {
    case CONN_HANDSHAKE:
        return events ? events : HTTP_READ;
    case CONN_IDLE:
    case CONN_HEADER:
    case CONN_DRAIN:
    case CONN_LINGER:
        return events | HTTP_READ;
    case CONN_BODY:
        if (!c->ended && !c->in_n && http_body_room(c, false))
            events |= HTTP_READ;
        return events | (c->interim ? HTTP_WRITE : 0u);
    case CONN_ANSWER:
        if (!c->ended && !c->body.complete)
            events |= HTTP_READ;
        return events | (c->blocked ? HTTP_WRITE : 0u);
    case CONN_GONE:
    case CONN_STATES_:
        break;
    }
    return 0;
}

/* Moves on until there is nothing to do but wait. @fired: the events this is about. @stop: those that must
 * not be watched any longer when nobody wants them; others may stay, since changing that costs two system
 * calls.
 */
static void advance_watching(struct http_conn *c, unsigned fired, unsigned stop)
{
    bool readable = fired & HTTP_READ;
    unsigned turns = 0, events = 0;
    for (; turns < TURNS; turns++) {
        if (readable)
            read_some(c);
        bool moved = c->state != CONN_GONE && step(c);
        if (c->state == CONN_GONE)
            return;
        events = wanted_events(c);
        readable = !moved && c->tls && c->more && events & HTTP_READ;
        if (!moved && !readable)
            break;
    }
    if (!hold_input(c)) {
        break_off(c);
        return;
    }
    if (turns == TURNS)
        http_loop_ready(c);
    if ((stop & ~events) || (events & ~c->watched))
        http_loop_watch(c, events);
}

static void advance(struct http_conn *c, unsigned fired)
{
    advance_watching(c, fired, fired);
}

/* A socket that was read from is watched on even when nobody wants to read now: most requests are answered
 * before more comes, and each change of what is watched costs two system calls. When more does come, it is
 * unwanted, and the watching ends. A socket that could be written to still can: there it ends at once. */
void http_conn_event(struct http_conn *c, unsigned events)
{
    c->loop->events++;
    unsigned stop = c->tls ? events : events & (HTTP_WRITE | ~wanted_events(c));
    if (events & HTTP_WRITE)
        c->blocked = false;
    if (c->tls_wants) { /* a read may have waited for writing, or the other way round */
        c->tls_wants = 0;
        c->blocked = false;
        events |= HTTP_READ;
    }
    advance_watching(c, events, c->tls ? events : stop);
}

void http_conn_returned(struct http_conn *c)
{
    c->req->busy = false;
    if (c->state == CONN_BODY)
        after_run(c);
    if (c->state == CONN_GONE)
        clear_away(c);
    else
        http_conn_resume(c);
}

void http_conn_unstuck(struct http_conn *c)
{
    if (c->state == CONN_BODY)
        http_conn_resume(c);
}

void http_conn_resume(struct http_conn *c)
{
    advance(c, c->tls && c->more && wanted_events(c) & HTTP_READ ? HTTP_READ : 0);
}

void http_conn_open(struct http_conn *c, int refuse_status)
{
    const struct http_server *server = c->loop->server;
    c->state = c->tls ? CONN_HANDSHAKE : CONN_IDLE;
    c->deadline_ms = c->loop->now_ms + server->timeouts.header;
    berth_buf_init(&c->hold, server->limits.header_bytes + 2 * HTTP_SCRATCH);
    c->body.complete = true;
    if (refuse_status && c->tls) {
        c->turned_away = (short)refuse_status;
        c->deadline_ms = c->loop->now_ms + MIN(server->timeouts.header, HTTP_LINGER_MS);
    } else if (refuse_status) {
        turn_away(c, refuse_status);
        if (c->state == CONN_GONE)
            return;
    }
    advance(c, 0);
}

/* Whether enough has moved since the deadline was set; sets the next. */
static bool has_progressed(struct http_conn *c, uint64_t moved)
{
    const struct http_timeouts *t = &c->loop->server->timeouts;
    if (moved < c->mark + (uint64_t)t->body_rate * t->body / 1000)
        return false;
    c->mark = moved;
    c->deadline_ms = c->loop->now_ms + t->body;
    return true;
}

void http_conn_tick(struct http_conn *c)
{
    switch ((enum http_conn_state)c->state) {
    case CONN_HANDSHAKE:
    case CONN_IDLE:
    case CONN_LINGER:
        break_off(c);
        return;
    case CONN_HEADER:
        refuse_early(c, 408, &(struct http_refusal){.reason = "the header did not arrive in time"});
        break;
    case CONN_BODY:
        if (c->req->busy || !(wanted_events(c) & HTTP_READ)) { /* it is not the client that makes us wait */
            c->mark = c->body.received;
            c->deadline_ms = c->loop->now_ms + c->loop->server->timeouts.body;
            return;
        }
        if (has_progressed(c, c->body.received))
            return;
        c->keep = false;
        http_body_fault(c, 408, "the body did not arrive in time; go on with the upload from its Range", 0);
        break;
    case CONN_ANSWER:
        if (c->req->busy)
            c->deadline_ms = c->loop->now_ms + c->loop->server->timeouts.body;
        else if (!has_progressed(c, http_send_confirmed(c)))
            break_off(c);
        return;
    case CONN_DRAIN:
        half_close(c);
        break;
    case CONN_GONE:
    case CONN_STATES_:
        return;
    }
    advance(c, 0);
}

/* Who fills its buffer slowly, or not at all, must not keep it from those who wait for one: what it holds
 * goes to its handlers as it is. Called each tick while somebody waits. */
void http_conn_yield(struct http_conn *c)
{
    struct http_req *req = c->req;
    if (c->state != CONN_BODY || req->busy || !req->filling || req->plan.body != HTTP_BODY_STREAM)
        return;
    uint64_t moved = c->body.received - c->seen;
    c->seen = c->body.received;
    if (moved >= req->filling->cap / SLOW_PART)
        return;
    if (!req->filling->n) {
        http_buffer_put(c->loop, steal(&req->filling));
        return;
    }
    c->yields = true;
    advance(c, 0);
}

void http_conn_stop(struct http_conn *c, bool now)
{
    if (!now && c->state == CONN_IDLE)
        advance(c, HTTP_READ); /* a request may have come that we have not looked at */
    if (now || c->state == CONN_IDLE || c->state == CONN_HANDSHAKE)
        break_off(c);
    else if (c->state == CONN_HEADER || c->state == CONN_DRAIN || c->state == CONN_LINGER)
        c->deadline_ms =
            MIN(c->deadline_ms, c->loop->now_ms + HTTP_LINGER_MS); /* nothing of ours runs there */
}
