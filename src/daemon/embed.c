/* daemon/embed.c - berth/server.h: the same registry as `berth serve`, without its process: no signals, no
 * control socket, no lines on standard output. */
#include <berth/server.h>

#include <stdio.h>

#include "daemon/collector.h"
#include "daemon/wiring.h"

struct berth_server {
    struct config *config;
    struct instance in;
    registry *reg;
    http_server *http;
    collector *collector;
    char *url;
};

/* "listen=…", "data=…": the caller's options as settings over those of the file. */
static int load(const berth_server_options *o, struct config **ret, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf listen = BERTH_BUF_INIT(64 * KIB), data = BERTH_BUF_INIT(64 * KIB);
    berth_buf_addf(&listen, "listen=%s", o->listen ? o->listen : "127.0.0.1:0");
    berth_buf_addf(&data, "%s%s", o->data ? "data=" : "storage.driver=memory", o->data ? o->data : "");
    const char *flags[] = {berth_buf_cstr(&listen), berth_buf_cstr(&data), "log.level=error"};
    if (!flags[0] || !flags[1])
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    return config_load(o->config, flags, COUNT(flags), ret, err);
}

static int open_http(berth_server *s, berth_error *err)
{
    CLEANUP(freep) char *bound = NULL;
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(64 * KIB);
    struct http_options http;
    const struct config_listen *l = &s->config->listen[0];
    const struct http_tls tls = {l->certificate, l->key, l->client_ca, l->tls_minimum, l->tls_ciphers};
    int rc = wiring_http_options(s->config, &http);
    if (rc == BERTH_OK)
        rc = http_server_new(registry_app(s->reg), &http, &s->http, err);
    if (rc == BERTH_OK)
        rc = http_server_listen(s->http, l->address, l->certificate ? &tls : NULL, &bound, err);
    if (rc != BERTH_OK)
        return rc;
    const char *scheme = str_starts(str_from(bound), STR("unix:")) ? ""
                         : l->certificate                          ? "https://"
                                                                   : "http://";
    berth_buf_addf(&url, "%s%s", scheme, bound);
    s->url = berth_buf_take(&url);
    if (!s->url)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    registry_set_server(s->reg, s->http);
    return BERTH_OK;
}

static int start(berth_server *s, berth_error *err)
{
    CLEANUP(berth_arena_done) berth_arena a = BERTH_ARENA_INIT;
    struct registry_policy api;
    int rc = instance_open(s->config, true, &s->in, err);
    if (rc == BERTH_OK)
        rc = wiring_registry_policy(s->config, &a, &api, err);
    if (rc == BERTH_OK)
        rc = registry_new(s->in.repo, &api, &s->reg, err);
    if (rc == BERTH_OK)
        rc = open_http(s, err);
    if (rc == BERTH_OK)
        rc = collector_start(s->in.repo, s->in.m, s->config, &s->collector, err);
    return rc == BERTH_OK ? http_server_start(s->http, err) : rc;
}

/* Whatever of it there is. */
static void release(berth_server *s)
{
    collector_stop(s->collector);
    http_server_free(s->http);
    registry_free(s->reg);
    instance_close(&s->in);
    config_free(s->config);
    mem_free(s->url);
    mem_free(s);
}

int berth_server_start(const berth_server_options *opts, berth_server **ret_server, berth_error *err)
{
    berth_server_options o = BERTH_SERVER_OPTIONS_INIT;
    if (opts)
        memcpy(&o, opts, MIN(opts->size, sizeof(o))); /* an older caller's are shorter */
    berth_server *s = mem_zalloc(1, sizeof(*s));
    if (!s)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    s->in.data_fd = s->in.lock_fd = -1;
    int rc = load(&o, &s->config, err);
    if (rc == BERTH_OK) {
        wiring_log(s->config);
        rc = start(s, err);
    }
    if (rc != BERTH_OK) {
        release(s);
        return rc;
    }
    *ret_server = s;
    return BERTH_OK;
}

const char *berth_server_url(const berth_server *server)
{
    return server->url;
}

void berth_server_stop(berth_server *server)
{
    if (!server)
        return;
    registry_set_stopping(server->reg);
    http_server_stop(server->http);
    http_server_join(server->http);
    release(server);
}
