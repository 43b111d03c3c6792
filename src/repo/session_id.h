/* repo/session_id.h - the name of an upload session, which says by itself that this registry gave it out, for
 * which repository, and until when. Pure.
 *
 * A session that nothing was sent to yet is nothing but its name: POST writes no row, and a crash right after
 * it loses nothing (docs/adr/0030). The name is a UUID of version 8 (RFC 9562): seconds of its end,
 * algorithm, a number that does not repeat, and 48 bits of a keyed hash. */
#ifndef REPO_SESSION_ID_H
#define REPO_SESSION_ID_H

#include <stdatomic.h>

#include "util/hash.h"

#define SESSION_ID_SIZE 37 /* with its NUL */

struct session_ids {
    unsigned char secret[32]; /* the registry's, for ever */
    atomic_ullong next;       /* numbers are given out from a random one on */
};

/* @number: the repository's; 0: there is none yet. */
void session_id_make(struct session_ids *ids, berth_str repository, int64_t number,
                     enum hash_algorithm algorithm, int64_t expires_at, char ret_id[SESSION_ID_SIZE]);

/* Whether @id was made for @repository, of that @number, by this secret, and what it says; the end is rounded
 * up to a second.
 */
bool session_id_read(const struct session_ids *ids, berth_str repository, int64_t number, berth_str id,
                     enum hash_algorithm *ret_algorithm, int64_t *ret_expires_at);

#endif
