/* registry/access_log.c - when an answer is out: one line for the access log, one for the audit log if it
 * changed something, and the metrics. */
#include "registry/private.h"

#include "util/clock.h"
#include "util/log.h"

static void access_line(const http_request *req, int64_t us)
{
    const struct call *c = call_of(req);
    log_event(LOG_INFO, "request", F_CSTR("id", req->id), F_STR("peer", req->peer),
              F_STR("method", req->method_text), F_STR("path", req->path), F_STR("query", req->query),
              F_INT("status", req->status), F_INT("in", req->body_received), F_INT("out", req->bytes_sent),
              F_REAL("ms", (double)us / 1000), F_CSTR("code", c && c->oci_code[0] ? c->oci_code : "-"),
              F_CSTR("reason", c ? c->message : ""), F_STR("trace", http_header(req, "traceparent")),
              F_STR("agent", http_header(req, "User-Agent")));
}

/* {"time":…,"id":…,"peer":…,"method":…,"repository":…,"reference":…,"digest":…,"path":…,"query":…}; the query
 * names the tags of a PUT by digest, and the source of a mount */
static void audit_line(struct audit *to, const http_request *req)
{
    const struct call *c = call_of(req);
    char time[25];
    clock_format(clock_wall_ms(), time);
    const berth_str pairs[] = {
        STR("time"),      str_from(time), STR("id"),        str_from(req->id),      STR("peer"),
        req->peer,        STR("method"),  req->method_text, STR("repository"),      c->name,
        STR("reference"), c->thing,       STR("digest"),    digest_str(&c->digest), STR("path"),
        req->path,        STR("query"),   req->query,
    };
    CLEANUP(berth_buf_done)
    berth_buf line = BERTH_BUF_INIT(256 * MIB); /* a header of 16 MiB, escaped, twice */
    berth_buf_putc(&line, '\n');
    oci_print_object(&line, pairs, COUNT(pairs) / 2);
    berth_buf_putc(&line, '\n');
    audit_append(to, berth_buf_failed(&line) ? STR_NULL : berth_buf_str(&line));
}

void registry_finished(http_request *req)
{
    registry *reg = http_app_data(req);
    const struct call *c = call_of(req);
    int64_t us = clock_mono_us() - req->started_us;
    if (req->unreadable)
        log_event(LOG_ERROR, "answer broken off", F_CSTR("id", req->id), F_STR("path", req->path),
                  F_CSTR("reason", strerror(req->unreadable)));
    if (registry_policy_now(reg)->access_log)
        access_line(req, us);
    /* Not req->status: a client that resets the connection before its answer has written all the same. */
    int done = http_answer_status(req);
    if (audit_wanted(&reg->audit) && c && done < 300 && done >= 200 &&
        route_methods_that_write(c->route) & req->method)
        audit_line(&reg->audit, req);
    metrics_count(reg, req, us);
}
