/* client/internal.h - what the files of this room share: a call and its states, what an operation adds to it,
 * the session with the registry, and the transport below.
 *
 * Whoever drives the client (berth_client_process(), or a thread that waits) owns transport, session and
 * every call that was started; the lock guards only what stands under "lock:". No lock is held while
 * callbacks run. */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth/challenge.h"
#include "auth/token.h"
#include "berth/upload.h"
#include "client/keyring.h"
#include "client/limits.h"
#include "http/uri.h"
#include "oci/digest.h"
#include "oci/mediatype.h"

/* --- transport: transport.c --- */

struct transport;
struct carrier;
struct exchange;
struct route;

struct exchange_events {
    int (*head)(struct exchange *x); /* the header is complete; a negative code ends the exchange */
    int (*body)(struct exchange *x, const void *p, size_t n); /* BERTH_PAUSE: not now */
    /* Up to @n bytes of a body that streams; *@ret_n 0: that was all. BERTH_PAUSE: not yet. A negative code
     * ends the exchange. */
    int (*send)(struct exchange *x, void *p, size_t n, size_t *ret_n);
    bool (*rewind)(struct exchange *x);           /* have send() begin anew; false: it can't */
    void (*passed)(struct exchange *x, size_t n); /* so many bytes of .file have gone past send() */
    void (*end)(struct exchange *x, int code, const berth_error *err); /* once, unless it was cancelled */
    void (*moved)(struct exchange *x);                                 /* to another step; may be NULL */
};

/* Each has its own time-out. */
enum exchange_step { EXCHANGE_CONNECTS, EXCHANGE_SENDS, EXCHANGE_WAITS, EXCHANGE_RECEIVES, EXCHANGE_STEPS_ };

enum exchange_failure {
    FAILURE_NONE,
    FAILURE_LASTING,   /* asking again is of no use */
    FAILURE_UNREACHED, /* no connection, or no answer in time */
    FAILURE_BROKEN,    /* the connection broke, or the answer did not go on */
};

/* One request and its answer. What it points to is lent until the end. */
struct exchange {
    const struct exchange_events *events;
    const char *method, *url;
    berth_str fields; /* "Accept: …" and so on, each line ended by '\n' */
    bool has_body;
    bool streams;         /* its body is asked for by send() */
    berth_str bytes;      /* its body, if it doesn't */
    int64_t body_length;  /* of one that streams; -1: unknown */
    int file;             /* where the bytes of one that streams lie as well, if nobody has to see them; -1 */
    uint64_t file_at;     /* the first of them */
    bool expects;         /* the body waits for "100 Continue": it can be sent only once, or may be refused */
    bool home;            /* it goes to the registry's own origin */
    bool large;           /* a body that may be large is expected */
    bool apart;           /* it shares its connection with no other while it is under way: HTTP/1.1 */
    int status;           /* of the answer */
    int64_t length;       /* what Content-Length says; -1: nothing */
    berth_buf header;     /* its lines */
    bool header_complete; /* what follows are trailers */
    uint64_t number;      /* for the trace */
    enum exchange_failure failure;
    enum exchange_step step;
    uint64_t sent; /* bytes of its body */
    struct transport *transport;
    struct carrier *handle; /* its */
};

/* Whom the client tells of its exchanges: trace.c. */
struct trace {
    berth_trace_fn fn; /* NULL: nobody */
    void *arg;
    uint64_t exchanges;
};
void trace_mask(berth_str block,
                berth_buf *out); /* appends a header block, lines ended by '\n', without secrets */
void trace_tell(const struct trace *t, berth_trace what, uint64_t exchange, berth_str block);

int transport_new(const berth_client_options *opts, const char *authority, struct transport **ret,
                  berth_error *err);
/* Of the options for its connections, lent. */
const struct route *transport_route(const struct transport *t);
void transport_close(struct transport *t); /* connections, if nothing is under way */
void transport_free(struct transport *t);  /* NULL is fine; nothing may be under way */
int transport_fd(const struct transport *t);
void transport_wake(struct transport *t);    /* makes the descriptor readable; any thread */
void transport_wait(struct transport *t);    /* until the descriptor is readable */
bool transport_process(struct transport *t); /* what is ready; events come from here. True: there is more */
void transport_set_timer(struct transport *t, int64_t due_ms); /* readable then, too; INT64_MAX: never */
int transport_start(struct transport *t, struct exchange *x, berth_error *err);
void transport_cancel(struct transport *t, struct exchange *x); /* not from one of its events */
void transport_resume(struct transport *t, struct exchange *x); /* after BERTH_PAUSE; likewise */

/* A descriptor beside those of the exchanges. */
struct watch {
    int fd;
    void (*ready)(struct watch *w); /* it is readable; from transport_process() */
    struct watch *next;
};
int transport_watch(struct transport *t, struct watch *w, berth_error *err);
void transport_unwatch(struct transport *t, struct watch *w); /* before it is closed */

/* The value of the @i-th field of this name; .p NULL: there is none. */
berth_str exchange_field(const struct exchange *x, berth_str name, size_t i);
void exchange_done(struct exchange *x);

/* --- session: what is known of how the registry wants to be spoken to --- */

#define SESSION_TOKENS_MAX 128 /* the one that ends first makes room */

struct session_token {
    char *scope, *token;
    int64_t until_ms; /* monotonic */
    bool given;
};

struct session {
    char *host;
    bool tls;
    struct keyring keyring;
    char *scope;             /* asked for instead of any other; NULL: none is */
    bool fall_back_to_basic; /* where no token is to be had */
    enum auth_scheme scheme; /* what was asked for last; AUTH_OTHER: nothing yet */
    char *realm, *service;
    char *identity_was, *identity; /* an endpoint gave the second for the first */
    struct session_token tokens[SESSION_TOKENS_MAX];
    size_t n_tokens;
};

int session_init(struct session *s, const berth_client_options *opts, berth_error *err);
void session_forget(struct session *s); /* what was learned, but not what was given */
void session_done(struct session *s);

/* How a token is asked for. */
struct token_request {
    berth_buf url, authorization; /* "Authorization: …", or empty */
    berth_buf form;               /* the body of a POST, or empty */
    berth_buf scope;
    berth_buf identity; /* the identity token in it */
    bool has_username;
};
void token_request_done(struct token_request *r);

/* The field to send along ("Authorization: …"), or nothing in @out. *@ret_credentials_wanted: they are
 * needed, for it or for a token. */
int session_authorize(struct session *s, berth_str scope, berth_buf *out, bool *ret_credentials_wanted,
                      berth_error *err);

/* Remembers what a 401 asks for. BERTH_E_UNAUTH: nothing that is known here; BERTH_E_DENIED: a realm that
 * isn't safe. */
int session_challenged(struct session *s, const auth_challenges *asked, berth_error *err);

/* Is it known where? @asked is what the registry said to this call; empty: what it said last counts. */
bool session_can_get_tokens(const struct session *s, const auth_challenge *asked);

/* Makes the request for a token that allows @scope. @offline: and for an identity token. */
int session_token_request(struct session *s, const auth_challenge *asked, berth_str scope,
                          const auth_credentials *c, bool offline, struct token_request *ret,
                          berth_error *err);
bool session_token_fits(berth_str token); /* it may stand in a header */
int session_token_add(struct session *s, const struct token_request *r, const auth_token *token,
                      berth_error *err);
void session_token_drop(struct session *s,
                        berth_str authorization); /* the one that was sent: it is refused */

/* --- trying again: retry.c --- */

struct retry_policy {
    unsigned retries;
    uint32_t first_wait_ms, longest_wait_ms;
    berth_retry_fn fn; /* of every call */
    void *arg;
};

/* Before the try behind @tries failed ones: doubled each time, up to the longest, and of that between a half
 * and all, as @random says. */
uint32_t retry_wait_ms(const struct retry_policy *p, unsigned tries, uint32_t random);

/* The call has failed. True: it sleeps, and will ask again. *@ret_broken: its step's broken() was asked. */
bool retry_call(berth_call *call, bool *ret_broken);

/* The answer may be another one later, and there are tries left. */
bool retry_is_worth(const berth_call *call);

/* True: the request of call->step may be sent now. False: the call waits for its turn. */
bool retry_enter(berth_call *call);

/* The call is through with its request: its place goes to another, and the host's limits learn of the
 * answer. */
void retry_leave(berth_call *call);

struct step;
/* The step that comes after a good answer. */
void retry_step(berth_call *call, const struct step *next);

/* --- progress.c --- */

struct progress {
    berth_progress_fn fn;
    void *arg;
    uint64_t done, total, found; /* of content, as in berth_progress */
    uint64_t sending; /* on top of done: by the last request with a body; nobody has them for sure */
};

void progress_tell(const berth_call *call, berth_step step); /* driver */

/* --- sources: source.c --- */

/* A berth_source as it is read, from byte 0 on and, if it can, again. */
struct source {
    berth_source of;
    uint64_t at;     /* the next byte that is read */
    int64_t length;  /* -1: unknown */
    bool rewindable; /* it can be read from any offset */
    off_t start;     /* of a file: where it stood */
    bool holds;      /* a last byte, of which it is not known yet whether it is the last */
    char held;
    bool hashing; /* every byte from the first on has been seen so far */
    berth_hash hash;
    uint64_t hashed;
};

int source_open(struct source *s, const berth_source *of, berth_error *err);
void source_hash(struct source *s, enum hash_algorithm a); /* hash on the way, before anything is read */
/* All that is read as its digest; false: not every byte was seen. */
bool source_digest(const struct source *s, berth_digest *ret);
/* *@ret_n 0: its end. BERTH_PAUSE: nothing yet. BERTH_E_CANCELLED: what its function said. BERTH_E_INVALID:
 * it is shorter or longer than was announced. */
int source_read(struct source *s, void *p, size_t n, size_t *ret_n, berth_error *err);
bool source_seek(struct source *s, uint64_t to); /* false: it can't go there */

#define PAGE_MAX (64 * MIB) /* a registry that knows no pages answers with all at once */

/* --- what the registry says beside its answers: notices.c --- */

#define NOTICES_MAX 64 /* that are remembered */

struct notices {
    berth_warning_fn fn;
    void *arg;
    uint64_t seen[NOTICES_MAX]; /* of each text a piece of its hash; 0: none */
    size_t n;
};

/* Driver: the registry's header has come. False: no memory. */
bool notices_take(berth_call *call);

/* --- tags under two names: names.c --- */

struct tag_names {
    berth_tag_name_fn to_registry, from_registry; /* NULL: the same name */
    void *arg;
};

/* *@ret, in the arena: what the registry calls it. A digest is itself. */
int names_to_registry(const struct tag_names *n, const char *reference, berth_arena *arena, const char **ret,
                      berth_error *err);
int names_from_registry(const struct tag_names *n, const char *tag, berth_arena *arena, const char **ret,
                        berth_error *err);

/* --- calls: call*.c --- */

enum call_state {
    CALL_NEW,
    CALL_CREDENTIALS, /* a helper that has them */
    CALL_WAITING,     /* for a place, the end of a pause, or another try */
    CALL_ASKING,      /* the registry, or where it redirected us */
    CALL_TOKEN,       /* a token endpoint */
    CALL_SHARING,     /* until another call has the token that this one wants too */
    CALL_RESTING,     /* until call_attend(): it has no request under way */
    CALL_DONE,
    CALL_STATES_
};

/* One request of an operation and what becomes of its answer. end(), refused() and broken() may name the
 * next in *@ret_next, after call_prepare() and with call->url aimed at it; without one the call has ended
 * well. A negative code, through call_fail(), ends it as well. */
struct step {
    const char *method; /* NULL: no request; the step wants to know the credentials, in call->lookup */
    size_t body_max;    /* of what is collected for end() */
    bool large, apart;  /* see struct exchange */
    bool any_answer;    /* end() gets whatever is no challenge that can be met, no redirect to follow */
    int (*prepare)(berth_call *call); /* makes the request, anew each time that it is sent; may be NULL */
    bool (*redirects)(const berth_call *call); /* whether to follow a 3xx; NULL: yes */
    int (*head)(berth_call *call);             /* 2xx, before the body; may be NULL */
    /* Of a 2xx body; NULL: collected. BERTH_PAUSE: it is to come again as a whole. */
    int (*piece)(berth_call *call, const void *p, size_t n);
    int (*end)(berth_call *call, const struct step **ret_next); /* 2xx, complete */
    /* Any other answer that is no redirect, nor a challenge that can be met. NULL: call_fail_by_answer(). */
    int (*refused)(berth_call *call, const struct step **ret_next);
    /* No whole answer has come, or call->may_retry; call->err says why: the network, what the body is read
     * from, or "later". With call->may_retry what comes next, *@ret_next or the same again, is sent after a
     * wait. NULL: the same again, if the body can be sent again and is no PATCH, and no piece of the answer
     * was taken. */
    int (*broken)(berth_call *call, const struct step **ret_next);
};

struct operation {
    const char *actions; /* "pull"; NULL: no repository */
    const struct step *first;
    void (*ends)(berth_call *call); /* driver: before it has ended, however it does; may be NULL */
    void (*done)(berth_call *call); /* frees what call->own holds; may be NULL */
};

/* What a request says of who we are. */
enum call_sends { CALL_SENDS_NOTHING, CALL_SENDS_TOKEN, CALL_SENDS_BY_HAND, CALL_SENDS_PASSWORD };

/* What a request sends. */
struct payload {
    bool present;          /* else no body at all; an empty one has a Content-Length of 0 */
    berth_str bytes;       /* lent, if there is no source */
    struct source *source; /* the operation's */
    uint64_t offset;       /* where in the source it begins */
    int64_t length;        /* -1: to the end of the source, wherever that is */
    uint64_t sent;
};

/* Of a call that asks for a token, and of those that wait for it. */
struct sharing {
    bool asks;                /* in the client's list of those that do */
    berth_call *first, *last; /* who waits for it */
    berth_call *of;           /* whom it waits for; NULL: nobody */
    berth_call *next, *prev;  /* in either list */
};

struct berth_call {
    berth_client *client;
    const struct operation *op;
    const struct step *step;
    enum call_state state;
    struct exchange x;
    berth_arena arena;
    char *subject; /* what it is about, for messages */
    char *repository, *scope;
    const char *reference; /* NULL: none; a tag as the registry calls it */
    berth_buf first_url;   /* what was asked for before redirects; empty: the same */
    berth_buf url;         /* of the request, or the next one */
    berth_buf fields;      /* the operation's own lines for it */
    struct payload payload;
    berth_buf asked_url; /* with what a mirror is told; empty: the same */
    berth_buf authorization, sent_fields, body;
    bool foreign; /* on another origin than the registry's: no credentials go there */
    unsigned redirects, challenges;
    bool own_authorization; /* the operation's: ours stays away */
    struct limits_ticket ticket;
    unsigned tries;    /* that failed, without getting further */
    uint64_t broke_at; /* of progress.done */
    bool may_retry;    /* for broken() */
    bool recovers;     /* on a detour that a failure made */
    bool alone;        /* see call_start_alone() */
    uint32_t pause_ms; /* see call_pause() */
    /* Of one that rests: what is next, in the place of the step's end(). */
    int (*goes_on)(berth_call *call, const struct step **ret_next);
    bool attended; /* in the client's list of those */
    berth_call *next_attended;
    int64_t deadline_ms;
    berth_call *next_running, *prev_running;
    berth_retry_fn retry;
    void *retry_arg;
    struct progress progress;
    berth_rate rate;
    bool has_rate;

    /* authorize.c */
    struct lookup lookup;
    struct token_request token;
    auth_challenge asked; /* by the registry, of this call; .realm empty: nothing yet */
    enum call_sends sent;
    bool basic_offered, basic_only; /* beside a token; since there is none */
    bool by_hand_refused;
    bool lacks_rights;          /* whom the token is for may not do this */
    bool unmet;                 /* there is nothing to answer the challenge with: the 401 is the answer */
    bool offline;               /* asks for an identity token as well */
    const char *identity_token; /* that came with the last token; NULL: none */
    struct sharing sharing;

    int code;
    berth_error err;
    bool has_content;
    berth_content content;

    berth_digest digest; /* what was asked for; digest.text empty: a tag */
    berth_accept accept; /* of a manifest */
    berth_hash hash;
    uint64_t received;
    berth_arena page;
    unsigned page_size; /* that was asked for; 0: none, or by the registry's own link */
    size_t bare_url;    /* so much of the URL goes before that */
    char *page_last;
    bool one_page, more;
    berth_sink_fn sink;
    berth_tag_fn tag;
    void *arg;
    void *own;                  /* the operation's, in the arena */
    struct fallback *fallback;  /* of one that keeps up a referrers tag */
    const berth_upload *upload; /* of an operation on a session, when it has ended well */
    berth_put_outcome outcome;  /* of one that puts a blob */

    _Atomic bool cancelled;
    /* lock: */
    bool queued, settled, orphan, told;
    berth_done_fn done;
    void *done_arg;
    berth_call *next_pending;
};

struct berth_client {
    char *base;   /* "https://registry.example" */
    char *fields; /* lines for each request to the registry, each ended by '\n' */
    http_uri origin;
    bool may_fall_back; /* to plain HTTP, as long as nothing has answered */
    char *plain_base;   /* then: "http://registry.example" */
    struct transport *transport;
    struct session session;
    struct limits limits;
    struct retry_policy retry;
    struct notices notices;
    struct tag_names names;
    bool answered; /* something came from the host at least once */
    uint32_t call_timeout_ms;
    uint64_t rate_reserve;
    uint32_t rate_wait_ms;
    berth_call *first_running, *last_running; /* in the order of their deadlines */
    berth_call *first_asking, *last_asking;   /* for tokens */
    berth_call *attended;                     /* go on in the next round */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* lock: */
    bool driving, closes;
    unsigned cancels; /* of all calls, wanted */
    size_t n_alone;
    pthread_t driver;
    berth_call *pending; /* to be started or cancelled */
    char *default_name;
};

/* A call that is not started yet. @repository and @reference may be NULL; both are checked, and the reference
 * is call->reference from here on. */
int call_new(berth_client *c, const struct operation *op, const char *repository, const char *reference,
             berth_call **ret, berth_error *err);
/* The same; what is named, if not NULL, has to be a digest. */
int call_new_blob(berth_client *c, const struct operation *op, const char *repository, const char *digest,
                  berth_call **ret, berth_error *err);
void call_destroy(berth_call *call);
void call_start(berth_call *call);
/* The same for one that nobody waits for, and nobody hears of: it frees itself, soon at the latest. */
void call_start_alone(berth_call *call);
void call_step(berth_call *call);                              /* driver: goes on with what has come */
void call_cancel(berth_call *call, int code, const char *why); /* driver */
/* For a step's end() and its like: the next request has so much time. */
void call_pause(berth_call *call, uint32_t ms);
/* For a step's end() and its like: no request comes next; @goes_on is called after call_attend(). */
void call_rest(berth_call *call, int (*goes_on)(berth_call *call, const struct step **ret_next));
void call_attend(berth_call *call); /* driver, any time after call_rest(); else nothing */
void call_finish(berth_call *call); /* driver: it is over, call->code says how */
int call_fail(berth_call *call, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int call_fail_with(berth_call *call, const berth_error *err);
int call_fail_by_answer(berth_call *call); /* in the registry's own words where it has some */
int call_fail_by_answer_of(berth_call *call, const char *who);
/* A whole answer can't be read, as @err says; where it is a web page, that is said too. */
int call_fail_unread(berth_call *call, const berth_error *err);
bool call_is_ok(const berth_call *call); /* 2xx */

/* Sends what call->x describes, with these lines. */
int call_ask(berth_call *call, enum call_state state, berth_str fields, berth_str authorization,
             size_t body_max);

/* Begins the description of the next request: no fields, no body. The URL stays. */
void call_prepare(berth_call *call);
/* Adds a line to it: "Content-Type: …". No memory shows when it is sent. */
void call_field(berth_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Aims the next request at what an answer names: relative to where that came from, or absolute, with its
 * query kept whole. On another origin than the registry's it goes without credentials; from HTTPS to HTTP it
 * doesn't go. @what: "the Location of the upload". */
int call_follow(berth_call *call, berth_str reference, const char *what);

/* authorize.c: makes call->authorization. Without *@ret_ready it takes its time: call_step() is called when
 * there is more, and then the one of these that the state names. */
int call_authorize(berth_call *call, bool *ret_ready);
int call_look_up(berth_call *call, bool *ret_ready); /* the credentials alone */
int call_take_credentials(berth_call *call, bool *ret_ready);
int call_take_token(berth_call *call, bool *ret_ready);
/* A 401 has come. *@ret_refused: it is the last word; else call_authorize() has something new to send. */
int call_challenged(berth_call *call, bool *ret_refused);

/* sharing.c, all by the driver. True: another call is asking for the very token that call->token does; this
 * one waits, and call_step() is called when there is more. False: it has to ask itself. */
bool sharing_join(berth_call *call);
void sharing_leave(berth_call *call); /* waits no more */
void sharing_end(berth_call *call);   /* asks no more: those who wait go on, with the token if there is one */
void sharing_fail(berth_call *call);  /* they fail as it did */

/* pages.c: call->url gets its wish for a page; end() goes on where Link says; refused() with a smaller one.
 */
int call_first_page(berth_call *call, const berth_list_options *opts, berth_error *err);
int call_next_page(berth_call *call, const struct step **ret_next);
int call_smaller_page(berth_call *call, const struct step **ret_next);

/* manifests.c: a collected manifest is what was asked for: its digest and type, or the call has failed. */
int call_check_manifest(berth_call *call, berth_digest *ret_digest, berth_str *ret_type);
int call_give_manifest(berth_call *call, berth_str type, berth_str digest, uint64_t size, const void *data);
void call_aim_manifest(berth_call *call, const char *reference); /* the next request, without a body */

#define MANIFEST_MAX (8 * MIB) /* registries take 4 MiB at least (distribution-spec, "Pushing Manifests") */
#define ACCEPT_ANY                                                                                           \
    MT_OCI_INDEX ", " MT_OCI_MANIFEST ", " MT_DOCKER_LIST ", " MT_DOCKER_MANIFEST ", " MT_DOCKER_SCHEMA1_JWS \
                 ", " MT_DOCKER_SCHEMA1

/* For the blocking forms: waits for what *@call was started as, when @r says that it was. With @ret_call the
 * call is handed out on success, and freed otherwise. */
int call_run(int r, berth_call *call, berth_call **ret_call, berth_error *err);

/* client.c: the call has ended, call->code says how. */
void client_settle(berth_call *call);

#endif
