/* registry/health.c - /healthz: the process answers; /readyz: it can serve; /startupz: it has started. */
#include "registry/private.h"

static void answer_text(http_request *req, int status, berth_str text)
{
    http_respond(req, status);
    http_set_header(req, "Content-Type", "text/plain; charset=utf-8");
    http_set_header(req, "Cache-Control", "no-store");
    http_body_copy(req, text);
}

void health_live(http_request *req)
{
    answer_text(req, 200, STR("ok\n"));
}

void health_ready(http_request *req)
{
    registry *reg = call_of(req)->reg;
    berth_error err = BERTH_ERROR_INIT;
    if (atomic_load(&reg->stopping)) {
        answer_text(req, 503, STR("stopping\n"));
        return;
    }
    if (repo_ready(reg->repo, &err) != BERTH_OK) {
        char *text = berth_arena_printf(&req->arena, "%s\n", err.message);
        answer_text(req, 503, str_from(text));
        return;
    }
    answer_text(req, 200, repo_is_read_only(reg->repo) ? STR("ok, read-only\n") : STR("ok\n"));
}

/* Database, store and listeners are opened before the first request is read: whoever is answered at all is
 * answered by a server that has started, and stopping does not undo that. */
void health_started(http_request *req)
{
    answer_text(req, 200, STR("ok\n"));
}
