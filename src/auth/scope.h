/* auth/scope.h - what a token is good for: "repository:team/app:pull,push registry:catalog:*" (distribution's
 * "Token Scope Documentation"). Pure. */
#ifndef AUTH_SCOPE_H
#define AUTH_SCOPE_H

#include "util/buf.h"

/* Every action that @want names stands in @have, for the same resource. An empty @want is always covered. */
bool auth_scope_covers(berth_str have, berth_str want);

/* Both sets as one: what @a names in its order, with the actions that @b adds, then what only @b names. */
void auth_scope_merge(berth_buf *out, berth_str a, berth_str b);

#endif
