/* client/fallback.h - the referrers tag, kept up by us where the registry has no referrers API. */
#ifndef CLIENT_FALLBACK_H
#define CLIENT_FALLBACK_H

#include "client/internal.h"
#include "oci/fallback.h"

struct fallback {
    char tag[FALLBACK_TAG_MAX];
    const oci_referrer *add; /* NULL: @which goes */
    berth_digest which;
    berth_buf index; /* what is put */
    unsigned tries;
};

/* Names the first of the requests that enter @add into, or take @which out of, the tag of @subject; after
 * them the call has ended well, with the content it has. @f is initialised here, and the operation's to free.
 */
int fallback_begin(berth_call *call, struct fallback *f, const berth_digest *subject, const oci_referrer *add,
                   const berth_digest *which, const struct step **ret_next);
void fallback_done(struct fallback *f);

#endif
