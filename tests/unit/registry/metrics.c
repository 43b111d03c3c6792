/* tests/unit/registry/metrics.c - /metrics: which series a request counts in, and the form of what is
 * printed. */
#include "fixture.h"

static bool has_line(const char *line)
{
    return strstr(answer_text(), path_of("\n%s\n", line)) != NULL;
}

static void test_registry_metrics__count_by_route_and_class_of_status(void **state)
{
    (void)state;
    push_image("a", "v1", "");
    get("/v2/a/manifests/v1");
    get("/v2/a/manifests/v1");
    get("/v2/a/manifests/none");
    get("/nowhere");
    CHECK(get("/metrics") == 200);
    CHECK_ANSWERED("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    static const char *const lines[] = {
        "# TYPE berth_requests_total counter",
        "berth_requests_total{method=\"GET\",route=\"/v2/{name}/manifests/{reference}\",status=\"2xx\"} 2",
        "berth_requests_total{method=\"GET\",route=\"/v2/{name}/manifests/{reference}\",status=\"4xx\"} 1",
        "berth_requests_total{method=\"PUT\",route=\"/v2/{name}/manifests/{reference}\",status=\"2xx\"} 1",
        "berth_requests_total{method=\"\",route=\"\",status=\"4xx\"} 1",
        "# TYPE berth_request_seconds histogram",
        ("berth_request_seconds_bucket{method=\"GET\",route=\"/v2/{name}/manifests/{reference}\",le=\"+Inf\"}"
         " 3"),
        "berth_request_seconds_count{method=\"GET\",route=\"/v2/{name}/manifests/{reference}\"} 3",
        "berth_connections 7",
        "berth_worker_queue 3",
        "# TYPE berth_refused_total counter",
        "berth_uploads_finished_total 1",
        "berth_uploads_started_total 0",
    };
    registry_set_server(site.reg, (http_server *)(void *)&site); /* the stand-in never looks at it */
    CHECK(get("/metrics") == 200);
    CLEANUP(freep) char *all = str_dup(str_from(path_of("\n%s", answer_text())));
    for (size_t i = 0; i < COUNT(lines); i++)
        if (!strstr(all, path_of("\n%s\n", lines[i])))
            fail_msg("no line %s in %s", lines[i], all);
    CHECK(!strstr(all, "berth_repository_requests_total"));
}

/* The buckets of a histogram are cumulative: each counts what is not slower than its bound. */
static void test_registry_metrics__put_latencies_into_cumulative_buckets(void **state)
{
    (void)state;
    static const int64_t us[] = {100, 101, 2500000, 99000000};
    static const struct {
        const char *le;
        unsigned n;
    } rows[] = {{"0.0001", 1}, {"0.0005", 2}, {"0.1", 2}, {"2.5", 3}, {"10", 3}, {"+Inf", 4}};
    for (size_t i = 0; i < COUNT(us); i++) {
        struct exchange *x = exchange_new("GET", "/v2/", "", STR(""));
        registry_app(site.reg)->route(&x->req, &x->plan);
        x->req.status = 200;
        x->req.body_received = 10;
        x->req.bytes_sent = 16;
        metrics_count(site.reg, &x->req, us[i]);
        exchange_free(x);
    }
    CHECK(get("/metrics") == 200);
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_ROW(i,
                  has_line(path_of("berth_request_seconds_bucket{method=\"GET\",route=\"/v2\",le=\"%s\"} %u",
                                   rows[i].le, rows[i].n)));
    CHECK(has_line("berth_request_seconds_sum{method=\"GET\",route=\"/v2\"} 101.500201"));
    CHECK(has_line("berth_body_bytes_total{method=\"GET\",route=\"/v2\",direction=\"in\"} 40"));
    CHECK(has_line("berth_body_bytes_total{method=\"GET\",route=\"/v2\",direction=\"out\"} 64"));
}

/* A name costs memory, so a stranger must not be able to invent them. */
static void test_registry_metrics__count_repositories_that_exist_and_only_when_asked(void **state)
{
    (void)state;
    site.api.per_repository = true;
    site_apply();
    push_image("team/app", "v1", "");
    CHECK(get("/v2/invented/tags/list") == 404);
    CHECK(get("/metrics") == 200);
    CHECK(has_line("berth_repository_requests_total{repository=\"team/app\"} 2"));
    CHECK(has_line("# TYPE berth_repository_bytes_total counter"));
    CHECK(strstr(answer_text(), "berth_repository_bytes_total{repository=\"team/app\",direction=\"in\"}"));
    CHECK(!strstr(answer_text(), "invented"));
}

static void test_registry_metrics__are_absent_when_switched_off(void **state)
{
    (void)state;
    site.api.metrics = false;
    site_apply();
    CHECK(get("/metrics") == 404);
    CHECK(strstr(answer_text(), "metrics.enabled") != NULL);
}

RUN_TESTS(SITE_TEST(test_registry_metrics__count_by_route_and_class_of_status),
          SITE_TEST(test_registry_metrics__put_latencies_into_cumulative_buckets),
          SITE_TEST(test_registry_metrics__count_repositories_that_exist_and_only_when_asked),
          SITE_TEST(test_registry_metrics__are_absent_when_switched_off))
