/* client/blobs.c - what the registry says of a blob; its removal. */
#include "client/internal.h"

static int end_head(berth_call *call, const struct step **ret_next)
{
    (void)ret_next;
    call->content = (berth_content){.media_type = "",
                                    .digest = call->digest.text,
                                    .size = call->x.length > 0 ? (uint64_t)call->x.length : 0};
    call->has_content = true;
    return BERTH_OK;
}

static int end_delete(berth_call *call, const struct step **ret_next)
{
    (void)call, (void)ret_next;
    return BERTH_OK;
}

static const struct step heading = {.method = "HEAD", .end = end_head};
static const struct step deleting = {.method = "DELETE", .end = end_delete};
static const struct operation head = {.actions = "pull", .first = &heading};
static const struct operation del = {.actions = "delete", .first = &deleting};

static int make(berth_client *client, const struct operation *op, const char *repository, const char *digest,
                berth_call **ret, berth_error *err)
{
    if (!repository || !digest)
        return berth_error_set(err, BERTH_E_INVALID, "a blob is named by repository and digest");
    int r = call_new_blob(client, op, repository, digest, ret, err);
    if (r == BERTH_OK)
        berth_buf_addf(&(*ret)->url, "%s/v2/%s/blobs/%s", client->base, repository, digest);
    return r;
}

static int start(berth_client *client, const struct operation *op, const char *repository, const char *digest,
                 berth_call **ret_call, berth_error *err)
{
    berth_call *call = NULL;
    int r = make(client, op, repository, digest, &call, err);
    if (r != BERTH_OK)
        return r;
    call_start(call);
    *ret_call = call;
    return BERTH_OK;
}

int berth_blob_head_start(berth_client *client, const char *repository, const char *digest,
                          berth_call **ret_call, berth_error *err)
{
    return start(client, &head, repository, digest, ret_call, err);
}

int berth_blob_delete_start(berth_client *client, const char *repository, const char *digest,
                            berth_call **ret_call, berth_error *err)
{
    return start(client, &del, repository, digest, ret_call, err);
}

int berth_blob_head(berth_client *client, const char *repository, const char *digest, berth_call **ret_call,
                    berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_head_start(client, repository, digest, &call, err);
    return call_run(r, call, ret_call, err);
}

int berth_blob_delete(berth_client *client, const char *repository, const char *digest, berth_error *err)
{
    berth_call *call = NULL;
    int r = berth_blob_delete_start(client, repository, digest, &call, err);
    return call_run(r, call, NULL, err);
}
