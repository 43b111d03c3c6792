/* auth/challenge.c - see challenge.h. */
#include "auth/challenge.h"

struct cursor {
    berth_str left;
    berth_arena *arena;
    bool failed; /* no memory */
};

static bool is_token(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') ||
           (ch && memchr("!#$%&'*+-.^_`|~", ch, 15));
}

static void skip(struct cursor *c, const char *what)
{
    while (c->left.n && c->left.p[0] && strchr(what, c->left.p[0]))
        c->left = str_from_offset(c->left, 1);
}

static berth_str take_token(struct cursor *c)
{
    size_t n = 0;
    while (n < c->left.n && is_token(c->left.p[n]))
        n++;
    berth_str token = str_head(c->left, n);
    c->left = str_from_offset(c->left, n);
    return token;
}

/* Up to the closing quote, or the end where there is none. */
static berth_str take_quoted(struct cursor *c)
{
    char quote = c->left.p[0], *out = berth_arena_alloc(c->arena, c->left.n + 1);
    if (!out) {
        c->failed = true;
        return STR_NULL;
    }
    size_t n = 0, i = 1;
    for (; i < c->left.n && c->left.p[i] != quote; i++) {
        if (c->left.p[i] == '\\' && i + 1 < c->left.n)
            i++;
        out[n++] = c->left.p[i];
    }
    c->left = str_from_offset(c->left, i + 1);
    return (berth_str){out, n};
}

/* What stands behind a comma in "scope=repository:a:pull,push": another action, or the next parameter? */
static bool is_action(berth_str s)
{
    static const char *const actions[] = {"pull", "push", "delete", "*"};
    for (size_t i = 0; i < COUNT(actions); i++) {
        size_t n = strlen(actions[i]);
        if (str_starts(s, str_from(actions[i])) && (s.n == n || s.p[n] == ',' || s.p[n] == ' '))
            return true;
    }
    return false;
}

static berth_str take_value(struct cursor *c, bool is_scope)
{
    skip(c, " \t");
    if (c->left.n && (c->left.p[0] == '"' || c->left.p[0] == '\''))
        return take_quoted(c);
    size_t n = 0;
    while (n < c->left.n && c->left.p[n] != ' ' && c->left.p[n] != '\t' &&
           (c->left.p[n] != ',' || (is_scope && is_action(str_from_offset(c->left, n + 1)))))
        n++;
    berth_str copy = berth_arena_str(c->arena, str_head(c->left, n));
    c->failed |= !copy.p;
    c->left = str_from_offset(c->left, n);
    return copy;
}

static void set(auth_challenge *to, berth_str name, berth_str value)
{
    static const struct {
        const char *name;
        size_t offset;
    } known[] = {{"realm", offsetof(auth_challenge, realm)},
                 {"service", offsetof(auth_challenge, service)},
                 {"scope", offsetof(auth_challenge, scope)},
                 {"error", offsetof(auth_challenge, error)}};
    for (size_t i = 0; i < COUNT(known); i++) {
        berth_str *field = (berth_str *)(void *)((char *)to + known[i].offset);
        if (str_eq_nocase(name, str_from(known[i].name)) && !field->p)
            *field = value;
    }
}

static enum auth_scheme scheme_of(berth_str word)
{
    if (str_eq_nocase(word, STR("Bearer")))
        return AUTH_BEARER;
    return str_eq_nocase(word, STR("Basic")) ? AUTH_BASIC : AUTH_OTHER;
}

static bool is_url(berth_str s)
{
    return str_eq_nocase(str_head(s, 7), STR("http://")) || str_eq_nocase(str_head(s, 8), STR("https://"));
}

bool auth_challenges_parse(berth_str field, berth_arena *arena, auth_challenges *all)
{
    struct cursor c = {.left = field, .arena = arena};
    auth_challenge passed_over, *now = NULL;
    bool implied = false;
    while (skip(&c, ", \t"), c.left.n && !c.failed) {
        berth_str word = take_token(&c);
        if (!word.n) { /* nothing that may stand here */
            c.left = str_from_offset(c.left, 1);
            continue;
        }
        berth_str behind = c.left;
        skip(&c, " \t");
        bool is_parameter = c.left.n && c.left.p[0] == '=';
        if (is_parameter &&
            (c.left.n == 1 || c.left.p[1] == '=')) { /* the end of a token68, as Negotiate has */
            skip(&c, "=");
            continue;
        }
        if (!is_parameter || !now) {
            bool fits = all->n < AUTH_CHALLENGES_MAX;
            now = fits ? &all->list[all->n++] : &passed_over;
            *now = (auth_challenge){.scheme = is_parameter ? AUTH_OTHER : scheme_of(word)};
            implied = is_parameter;
        }
        if (!is_parameter) {
            c.left = behind;
            continue;
        }
        c.left = str_from_offset(c.left, 1);
        set(now, word, take_value(&c, str_eq_nocase(word, STR("scope"))));
        if (implied)
            now->scheme = is_url(now->realm) ? AUTH_BEARER : AUTH_BASIC;
    }
    return !c.failed;
}

const auth_challenge *auth_challenges_find(const auth_challenges *all, enum auth_scheme scheme)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].scheme == scheme && (scheme != AUTH_BEARER || all->list[i].realm.n))
            return &all->list[i];
    return NULL;
}
