/* client/ping.c - is there a registry that lets us in? (distribution-spec, "Determining Support") */
#include "client/internal.h"
#include "oci/mediatype.h"

static int on_head(berth_call *call)
{
    berth_str type = mediatype_essence(exchange_field(&call->x, STR("Content-Type"), 0));
    if (str_eq_nocase(type, STR("text/html")))
        return call_fail(call, BERTH_E_INVALID, "it answers with a web page: no registry");
    return BERTH_OK;
}

static int on_end(berth_call *call, const struct step **ret_next)
{
    (void)call, (void)ret_next;
    return BERTH_OK;
}

static const struct step pinging = {.method = "GET", .body_max = MIB, .head = on_head, .end = on_end};
static const struct operation ping = {.first = &pinging};

int berth_ping_start(berth_client *client, berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = call_new(client, &ping, NULL, NULL, &call, err);
    if (r != BERTH_OK)
        return r;
    berth_buf_addf(&call->url, "%s/v2/", client->base);
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_ping(berth_client *client, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_ping_start(client, &call, err);
    return call_run(r, call, NULL, err);
}
