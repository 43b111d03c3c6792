/* client/upload.h - an upload session, as the calls on one (upload.c) and whole uploads (put.c) keep it. */
#ifndef CLIENT_UPLOAD_H
#define CLIENT_UPLOAD_H

#include "berth/upload.h"
#include "client/internal.h"

struct upload {
    berth_buf url; /* absolute; empty: none */
    bool outdated; /* bytes were sent there, and no answer has said where it goes on */
    uint64_t offset, chunk_min;
    berth_upload seen; /* the same for the caller */
};

void client_upload_init(struct upload *u);
void client_upload_done(struct upload *u);
int client_upload_set_url(berth_call *call, struct upload *u, berth_str url);

/* Aims the next request at where new sessions are made, or at the session. */
void client_upload_aim_new(berth_call *call);
int client_upload_aim(berth_call *call, const struct upload *u);
int client_upload_aim_close(berth_call *call, const struct upload *u); /* with the digest in the query */

/* Takes what an answer says of the session: Location if it has one, OCI-Chunk-Min-Length. */
int client_upload_take_place(berth_call *call, struct upload *u);
/* How many bytes the registry has. False: it doesn't say, or so that it might be one byte or none. */
bool client_upload_read_range(const berth_call *call, uint64_t *ret);

/* After a closing PUT, or a POST that did all: only 201 will do. */
int client_upload_check_created(berth_call *call);
/* After a closing PUT was refused. */
int client_upload_fail_close(berth_call *call);

/* Has the registry forget the session of a call that is about to end, where the session is by now: that is
 * under way when this returns, has little time, and nobody hears what becomes of it. */
void client_upload_take_back(berth_call *call, const struct upload *u);

void client_upload_add_bytes(berth_call *call, berth_str bytes); /* the next request's body */
void client_upload_add_source(berth_call *call, struct source *s, uint64_t offset, int64_t length);

#endif
