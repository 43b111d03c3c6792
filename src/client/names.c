/* client/names.c - tags under two names: what the program calls them, and what the registry does
 * (berth_client_options, "tag_to_registry"). */
#include "client/internal.h"

/* What @fn makes of @tag, in the arena; without one the same. */
static int rename_tag(const struct tag_names *n, berth_tag_name_fn fn, const char *tag, berth_arena *arena,
                      const char **ret, berth_error *err)
{
    CLEANUP(freep) char *other = NULL;
    if (fn && fn(n->arg, tag, &other) != 0)
        return berth_error_set(err, BERTH_E_CANCELLED,
                               "the tag '%s' was refused by what gives tags other names", tag);
    const char *copy = berth_arena_dup(arena, str_from(other ? other : tag));
    if (!copy)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    *ret = copy;
    return BERTH_OK;
}

int names_to_registry(const struct tag_names *n, const char *reference, berth_arena *arena, const char **ret,
                      berth_error *err)
{
    bool is_tag = !strchr(reference, ':');
    return rename_tag(n, is_tag ? n->to_registry : NULL, reference, arena, ret, err);
}

int names_from_registry(const struct tag_names *n, const char *tag, berth_arena *arena, const char **ret,
                        berth_error *err)
{
    return rename_tag(n, n->from_registry, tag, arena, ret, err);
}
