/* registry/metrics.c - /metrics in Prometheus' text format, version 0.0.4. */
#include "registry/private.h"

/* Upper bounds in microseconds; the last bucket has none. */
static const unsigned bounds_us[METRICS_BUCKETS - 1] = {100,    500,    1000,    5000,    25000,
                                                        100000, 500000, 2500000, 10000000};

/* Series per repository are kept for this many; the rest count as "other". */
#define REPOSITORIES_MAX 10000

static unsigned name_slot(berth_str name)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 16777619u;
    return h & 255;
}

static void count_repository(struct metrics *m, berth_str name, const http_request *req, int64_t us)
{
    pthread_mutex_lock(&m->repositories_lock);
    if (m->n_repositories >= REPOSITORIES_MAX)
        name = STR("other");
    struct metrics_repository **at = &m->repositories[name_slot(name)];
    while (*at && !str_eq(str_from((*at)->name), name))
        at = &(*at)->next;
    if (!*at) {
        struct metrics_repository *r = mem_zalloc(1, sizeof(*r));
        if (r && !(r->name = str_dup(name))) {
            mem_free(r);
            r = NULL;
        }
        *at = r;
        m->n_repositories += r != NULL;
    }
    if (*at) {
        (*at)->requests++;
        (*at)->latency_us += (unsigned long long)us;
        (*at)->bytes_in += req->body_received;
        (*at)->bytes_out += req->bytes_sent;
    }
    pthread_mutex_unlock(&m->repositories_lock);
}

void metrics_init(struct metrics *m)
{
    pthread_mutex_init(&m->repositories_lock, NULL);
}

void metrics_done(struct metrics *m)
{
    for (size_t i = 0; i < COUNT(m->repositories); i++)
        for (struct metrics_repository *r = m->repositories[i], *next; r; r = next) {
            next = r->next;
            mem_free(r->name);
            mem_free(r);
        }
    pthread_mutex_destroy(&m->repositories_lock);
}

void metrics_count(registry *reg, const http_request *req, int64_t us)
{
    const struct call *c = call_of(req);
    struct metrics_route *r = &reg->metrics.routes[route_index(c ? c->route : NULL)];
    size_t bucket = 0;
    while (bucket < COUNT(bounds_us) && us > bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&r->by_status[req->status / 100 % 6], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->latency_us, (unsigned long long)us, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->bytes_in, req->body_received, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->bytes_out, req->bytes_sent, memory_order_relaxed);
    if (c && c->route && c->name.n && req->status < 400 && registry_policy_now(reg)->per_repository)
        count_repository(&reg->metrics, c->name, req, us);
}

/* What stands before a family's series. */
static void print_family(berth_buf *out, const char *type, const char *name, const char *help)
{
    berth_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_routes(berth_buf *out, struct metrics *m)
{
    static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    print_family(out, "counter", "berth_requests_total", "Answers by method, route and class of status.");
    for (size_t i = 0; i <= route_count(); i++)
        for (size_t s = 0; s < 6; s++) {
            unsigned long long n = m->routes[i].by_status[s];
            if (n)
                berth_buf_addf(out, "berth_requests_total{%s,status=\"%s\"} %llu\n", route_labels(i),
                               classes[s], n);
        }
    print_family(out, "histogram", "berth_request_seconds",
                 "Time from the first byte of a request to the last of its answer.");
    for (size_t i = 0; i <= route_count(); i++) {
        const char *name = route_labels(i);
        unsigned long long total = 0;
        for (size_t b = 0; b < METRICS_BUCKETS; b++)
            total += m->routes[i].buckets[b];
        if (!total)
            continue;
        total = 0;
        for (size_t b = 0; b < METRICS_BUCKETS; b++) {
            total += m->routes[i].buckets[b];
            if (b < COUNT(bounds_us))
                berth_buf_addf(out, "berth_request_seconds_bucket{%s,le=\"%g\"} %llu\n", name,
                               bounds_us[b] / 1e6, total);
        }
        berth_buf_addf(out, "berth_request_seconds_bucket{%s,le=\"+Inf\"} %llu\n", name, total);
        berth_buf_addf(out, "berth_request_seconds_sum{%s} %.6f\n", name,
                       (double)m->routes[i].latency_us / 1e6);
        berth_buf_addf(out, "berth_request_seconds_count{%s} %llu\n", name, total);
    }
    print_family(out, "counter", "berth_body_bytes_total", "Bytes of bodies by method, route and direction.");
    for (size_t i = 0; i <= route_count(); i++) {
        const char *name = route_labels(i);
        unsigned long long in = m->routes[i].bytes_in, sent = m->routes[i].bytes_out;
        if (in)
            berth_buf_addf(out, "berth_body_bytes_total{%s,direction=\"in\"} %llu\n", name, in);
        if (sent)
            berth_buf_addf(out, "berth_body_bytes_total{%s,direction=\"out\"} %llu\n", name, sent);
    }
}

/* One metric after the other: the format wants each in one group. */
static void print_repositories(berth_buf *out, struct metrics *m)
{
    enum { REQUESTS, SECONDS, BYTES, KINDS };
    static const char *const names[KINDS] = {
        "berth_repository_requests_total", "berth_repository_seconds_total", "berth_repository_bytes_total"};
    static const char *const about[KINDS] = {"Answers below 400 by repository.",
                                             "Time that those took, in seconds.",
                                             "Bytes of their bodies by direction."};
    pthread_mutex_lock(&m->repositories_lock);
    for (int kind = 0; kind < KINDS; kind++) {
        print_family(out, "counter", names[kind], about[kind]);
        for (size_t i = 0; i < COUNT(m->repositories); i++)
            for (const struct metrics_repository *r = m->repositories[i]; r; r = r->next)
                if (kind == REQUESTS)
                    berth_buf_addf(out, "%s{repository=\"%s\"} %llu\n", names[kind], r->name, r->requests);
                else if (kind == SECONDS)
                    berth_buf_addf(out, "%s{repository=\"%s\"} %.6f\n", names[kind], r->name,
                                   (double)r->latency_us / 1e6);
                else
                    berth_buf_addf(out,
                                   "%s{repository=\"%s\",direction=\"in\"} %llu\n"
                                   "%s{repository=\"%s\",direction=\"out\"} %llu\n",
                                   names[kind], r->name, r->bytes_in, names[kind], r->name, r->bytes_out);
    }
    pthread_mutex_unlock(&m->repositories_lock);
}

static void print_number(berth_buf *out, const char *type, const char *name, const char *help, uint64_t v)
{
    print_family(out, type, name, help);
    berth_buf_addf(out, "%s %llu\n", name, (unsigned long long)v);
}

void metrics_get(http_request *req)
{
    registry *reg = call_of(req)->reg;
    struct metrics *m = &reg->metrics;
    if (!registry_policy_now(reg)->metrics) {
        registry_refuse_with(req, 404, "UNSUPPORTED", "metrics are switched off (setting metrics.enabled)");
        return;
    }
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(64 * MIB);
    print_routes(&out, m);
    if (registry_policy_now(reg)->per_repository)
        print_repositories(&out, m);
    struct http_stats h = {0};
    if (reg->server)
        http_server_stats(reg->server, &h);
    print_number(&out, "gauge", "berth_connections", "Open connections.", h.connections);
    print_number(&out, "gauge", "berth_worker_queue", "Requests that wait for a worker.", h.worker_queue);
    print_number(&out, "counter", "berth_refused_total",
                 "Requests and connections refused by a limit, or as malformed.", h.refused);
    print_number(&out, "counter", "berth_uploads_started_total", "Upload sessions started.",
                 m->uploads_started);
    print_number(&out, "counter", "berth_uploads_finished_total", "Blobs acknowledged.", m->uploads_finished);
    print_number(&out, "counter", "berth_audit_lines_lost_total", "Lines that the audit log did not take.",
                 atomic_load(&reg->audit.lines_lost));
    repo_print_metrics(reg->repo, &out);
    answer_json(req, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}
