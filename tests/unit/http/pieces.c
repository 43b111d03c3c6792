/* tests/unit/http/pieces.c - buffers between a connection and a worker: whatever the order in which they
 * change hands, none is lost. */
#include "test.h"

#include "http/internal.h"

#define BYTES 64

struct rig {
    http_server server;
    struct http_loop loop;
    struct http_conn conn;
    struct http_req req;
};

static struct http_buffer *full(struct rig *r)
{
    struct http_buffer *b = http_buffer_get(&r->loop, BYTES);
    assert_non_null(b);
    b->n = b->cap;
    return b;
}

static struct rig *rig_new(void)
{
    struct rig *r = mem_zalloc(1, sizeof(*r));
    assert_non_null(r);
    r->server.limits.buffer_bytes = BYTES;
    CHECK_OK(http_pool_new(1, &r->server.pool, &test_err));
    r->loop.server = r->req.server = &r->server;
    r->loop.buffers_max = 10 * (size_t)BYTES;
    r->loop.waiting_end = &r->loop.waiting;
    r->conn.loop = &r->loop;
    r->conn.req = &r->req;
    r->req.conn = &r->conn;
    r->req.plan.body = HTTP_BODY_STREAM;
    return r;
}

static void rig_free(struct rig *r)
{
    http_pieces_drop(&r->conn);
    CHECK(r->loop.buffers_used == 0);
    http_buffers_free(&r->loop);
    http_pool_free(r->server.pool);
    mem_free(r);
}

/* The loop leaves a second piece after the worker has taken the first, and before it has given back what it
 * had: then it gives back two, and the loop has taken none. */
static void test_http_pieces__given_back_twice_are_two(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct http_req *req = &r->req;
    req->running = full(r);
    for (int i = 0; i < 2; i++) {
        req->filling = full(r);
        struct http_buffer *mine = atomic_exchange(&req->spare, NULL); /* as if it came later */
        http_pieces_leave(&r->conn);
        atomic_store(&req->spare, mine);
        CHECK_ROW(i, !req->filling && http_pieces_next(req) && req->running->n == BYTES);
    }
    CHECK(r->loop.buffers_used == 3 * (size_t)BYTES);
    struct http_buffer *spare = http_pieces_spare(&r->conn);
    CHECK(spare && spare->n == 0 && !spare->next && r->loop.buffers_used == 2 * (size_t)BYTES);
    req->filling = spare;
    CHECK(!http_pieces_spare(&r->conn) && !http_pieces_next(req));
    http_pieces_done(&r->conn);
    CHECK(!req->running && r->loop.buffers_used == BYTES);
    rig_free(r);
}

static void test_http_pieces__full_one_takes_the_place_of_what_came_back(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct http_req *req = &r->req;
    struct http_buffer *first = req->running = full(r), *second = req->filling = full(r);
    http_pieces_leave(&r->conn);
    CHECK(!req->filling && http_pieces_next(req) && req->running == second);
    req->filling = full(r);
    http_pieces_leave(&r->conn);
    CHECK(req->filling == first && first->n == 0);
    first->n = first->cap;
    http_pieces_leave(&r->conn); /* there is one already */
    CHECK(req->filling == first && atomic_load(&req->stuck));
    rig_free(r);
}

/* The end of a body is left as any piece, full or not, and says so; without a byte it is the loop's to tell.
 */
static void test_http_pieces__the_last_one_says_so(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct http_req *req = &r->req;
    req->running = full(r);
    req->filling = full(r);
    http_pieces_leave(&r->conn);
    CHECK(http_pieces_next(req) && !req->run_end);
    req->filling = full(r);
    req->filling->n = 1;
    http_pieces_leave(&r->conn);
    CHECK(req->filling && !http_pieces_next(req));
    r->conn.body.complete = true;
    r->conn.body.received = BYTES + 1;
    http_pieces_leave(&r->conn);
    CHECK(http_pieces_next(req) && req->run_end && req->running->n == 1);
    CHECK(req->pub.body_received == BYTES + 1);
    req->run_end = false;
    http_buffer_put(&r->loop, req->filling);
    req->filling = http_buffer_get(&r->loop, BYTES);
    http_pieces_leave(&r->conn);
    CHECK(req->filling && !http_pieces_next(req) && !req->run_end);
    rig_free(r);
}

RUN_TESTS(TEST(test_http_pieces__the_last_one_says_so), TEST(test_http_pieces__given_back_twice_are_two),
          TEST(test_http_pieces__full_one_takes_the_place_of_what_came_back))
