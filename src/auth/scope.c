/* auth/scope.c - see scope.h. */
#include "auth/scope.h"

/* The next entry of a set that is separated by spaces; false at its end. */
static bool next_entry(berth_str *set, berth_str *ret_resource, berth_str *ret_actions)
{
    berth_str entry = STR("");
    while (set->n && !entry.n)
        str_cut(*set, ' ', &entry, set);
    size_t colon = entry.n;
    while (colon && entry.p[colon - 1] != ':')
        colon--;
    *ret_resource = str_head(entry, colon ? colon - 1 : entry.n);
    *ret_actions = colon ? str_from_offset(entry, colon) : STR("");
    return entry.n > 0;
}

static bool next_action(berth_str *actions, berth_str *ret)
{
    *ret = STR("");
    while (actions->n && !ret->n)
        str_cut(*actions, ',', ret, actions);
    return ret->n > 0;
}

static bool allows(berth_str set, berth_str resource, berth_str action)
{
    berth_str r, actions, a;
    while (next_entry(&set, &r, &actions))
        while (str_eq(r, resource) && next_action(&actions, &a))
            if (str_eq(a, action))
                return true;
    return false;
}

static bool names(berth_str set, berth_str resource)
{
    berth_str r, actions;
    while (next_entry(&set, &r, &actions))
        if (str_eq(r, resource))
            return true;
    return false;
}

bool auth_scope_covers(berth_str have, berth_str want)
{
    berth_str resource, actions, a;
    while (next_entry(&want, &resource, &actions))
        while (next_action(&actions, &a))
            if (!allows(have, resource, a))
                return false;
    return true;
}

/* Adds the actions that @set has for @resource, but not those that @out has since @from. */
static void add_actions(berth_buf *out, size_t from, berth_str set, berth_str resource)
{
    berth_str r, actions, a;
    while (next_entry(&set, &r, &actions))
        while (str_eq(r, resource) && next_action(&actions, &a)) {
            berth_str had = str_from_offset(berth_buf_str(out), from), one;
            bool known = false;
            while (!known && next_action(&had, &one))
                known = str_eq(one, a);
            if (known)
                continue;
            if (out->n > from)
                berth_buf_putc(out, ',');
            berth_buf_add_str(out, a);
        }
}

void auth_scope_merge(berth_buf *out, berth_str a, berth_str b)
{
    size_t start = out->n;
    const berth_str sets[2] = {a, b};
    for (size_t i = 0; i < COUNT(sets); i++) {
        berth_str set = sets[i], resource, actions;
        while (next_entry(&set, &resource, &actions)) {
            berth_str so_far = str_from_offset(berth_buf_str(out), start);
            if (names(so_far, resource))
                continue;
            if (out->n > start)
                berth_buf_putc(out, ' ');
            berth_buf_add_str(out, resource);
            berth_buf_putc(out, ':');
            size_t from = out->n;
            add_actions(out, from, a, resource);
            add_actions(out, from, b, resource);
        }
    }
}
