/* bench/driver.c - loads a registry, and prints what it saw as one line of JSON.
 *
 *     driver MODE [OPTION...] [PATH...]
 *     driver ceiling MODE [OPTION...]      the same against a responder in this process
 *     driver respond [OPTION...]           that responder alone, until killed
 *
 * bench/run calls it; by hand it serves under a profiler. */
#include <getopt.h>
#include <stdio.h>
#include <sys/resource.h>

#include "modes.h"
#include "respond.h"
#include "util/buf.h"

static const char usage[] =
    "usage: driver [ceiling] MODE [OPTION...] [PATH...]\n"
    "       driver respond [--threads N] [--connect HOST:PORT]\n"
    "modes:\n"
    "  get PATH...     GET in turn          head PATH...   HEAD in turn      page PATH   GET by one client\n"
    "  put-blobs       small blobs          push-big       --count blobs, digests computed beforehand\n"
    "  push-images     config, layer and manifest by tag, each unique\n"
    "  push-tags       unique manifests by tag; the blob {} must be in the repository\n"
    "options:\n"
    "  --connect HOST:PORT   default 127.0.0.1:5000\n"
    "  --clients N           connections, each with one request under way; default 16 (page, push-big: 1)\n"
    "  --threads N           default 2\n"
    "  --seconds S           default 5, unless --count is given\n"
    "  --count N             operations\n"
    "  --window N            note the rate of each N operations; needs --count\n"
    "  --header 'NAME: V'    for every request; may be repeated\n"
    "  --repository NAME     default bench/push\n"
    "  --repositories N      spread over NAME0 ... NAME<N-1>\n"
    "  --size BYTES          of a blob; default 4096 (push-big: 1 GiB)\n"
    "  --chunk BYTES         push in chunks by PATCH; 0: in one piece\n"
    "  --touch FOLDER        push-big: make page cache ready by a file there that is never synced\n"
    "  --single              a blob by one POST instead of POST and PUT\n";

static const struct {
    const char *name;
    const struct load_ops *ops;
} modes[] = {
    {"get", &mode_get},
    {"head", &mode_head},
    {"page", &mode_get},
    {"put-blobs", &mode_put_blobs},
    {"push-big", &mode_push_big},
    {"push-images", &mode_push_images},
    {"push-tags", &mode_push_tags},
};

struct command {
    const char *mode;
    const struct load_ops *ops;
    bool ceiling;
    struct load_options o;
    berth_buf headers;
    char host[256], port[16];
};

enum {
    OPT_CONNECT = 1,
    OPT_CLIENTS,
    OPT_THREADS,
    OPT_SECONDS,
    OPT_COUNT,
    OPT_WINDOW,
    OPT_HEADER,
    OPT_REPOSITORY,
    OPT_REPOSITORIES,
    OPT_SIZE,
    OPT_CHUNK,
    OPT_TOUCH,
    OPT_SINGLE,
    OPT_HELP
};

static const struct option options[] = {
    {"connect", required_argument, NULL, OPT_CONNECT},
    {"clients", required_argument, NULL, OPT_CLIENTS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"count", required_argument, NULL, OPT_COUNT},
    {"window", required_argument, NULL, OPT_WINDOW},
    {"header", required_argument, NULL, OPT_HEADER},
    {"repository", required_argument, NULL, OPT_REPOSITORY},
    {"repositories", required_argument, NULL, OPT_REPOSITORIES},
    {"size", required_argument, NULL, OPT_SIZE},
    {"chunk", required_argument, NULL, OPT_CHUNK},
    {"touch", required_argument, NULL, OPT_TOUCH},
    {"single", no_argument, NULL, OPT_SINGLE},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static _Noreturn void fail(const char *why)
{
    fprintf(stderr, "driver: %s\n", why);
    exit(2);
}

static uint64_t number(const char *text, uint64_t most)
{
    uint64_t n;
    if (!str_to_u64(str_from(text), &n) || n > most)
        fail("an option needs a number");
    return n;
}

static double seconds_of(const char *text)
{
    char *end;
    double s = strtod(text, &end);
    if (*end || !(s > 0 && s < 1e6))
        fail("--seconds needs a number above 0");
    return s;
}

static void take_address(struct command *c, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof(c->host) || strlen(colon + 1) >= sizeof(c->port))
        fail("--connect needs HOST:PORT");
    snprintf(c->host, sizeof(c->host), "%.*s", (int)(colon - text), text);
    snprintf(c->port, sizeof(c->port), "%s", colon + 1);
}

static void take_option(struct command *c, int option, const char *value)
{
    switch (option) {
    case OPT_CONNECT:
        take_address(c, value);
        break;
    case OPT_CLIENTS:
        c->o.clients = (unsigned)number(value, 100000);
        break;
    case OPT_THREADS:
        c->o.threads = (unsigned)number(value, 1024);
        break;
    case OPT_SECONDS:
        c->o.seconds = seconds_of(value);
        break;
    case OPT_COUNT:
        c->o.operations = number(value, UINT32_MAX);
        break;
    case OPT_WINDOW:
        c->o.window = number(value, UINT32_MAX);
        break;
    case OPT_HEADER:
        berth_buf_addf(&c->headers, "%s\r\n", value);
        break;
    case OPT_REPOSITORY:
        c->o.repository = value;
        break;
    case OPT_REPOSITORIES:
        c->o.repositories = (unsigned)number(value, 1000000);
        break;
    case OPT_SIZE:
        c->o.size = number(value, (uint64_t)1 << 44);
        break;
    case OPT_CHUNK:
        c->o.chunk = number(value, (uint64_t)1 << 44);
        break;
    case OPT_TOUCH:
        c->o.touch = value;
        break;
    case OPT_SINGLE:
        c->o.single = true;
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

/* What was not said, and what cannot be. */
static void complete(struct command *c)
{
    struct load_options *o = &c->o;
    bool big = c->ops == &mode_push_big, fetches = c->ops == &mode_get || c->ops == &mode_head;
    if (!o->clients)
        o->clients = big || strcmp(c->mode, "page") == 0 ? 1 : 16;
    if (!o->size)
        o->size = big ? GIB : 4 * KIB;
    if (big && !o->operations)
        o->operations = 1;
    if (!o->operations && o->seconds <= 0)
        o->seconds = 5;
    if (o->size < LOAD_STAMP || (o->chunk && o->chunk < LOAD_STAMP))
        fail("blobs and chunks have at least 32 bytes");
    if (o->window && !o->operations)
        fail("--window needs --count");
    if (fetches && !o->n_paths)
        fail("no path was given");
    if (berth_buf_failed(&c->headers) || c->headers.n > LOAD_OUT_MAX / 2)
        fail("the headers are too long");
    if (strcmp(c->port, "0") == 0)
        snprintf(c->port, sizeof(c->port), "5000");
    o->headers = c->headers.n ? berth_buf_cstr(&c->headers) : "";
    o->host = c->host;
    o->port = c->port;
}

static void print_text(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            putchar('\\');
        if ((unsigned char)*s >= ' ')
            putchar(*s);
    }
    putchar('"');
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_windows(const struct load *l)
{
    printf(",\"window\":%llu,\"windows\":[", (unsigned long long)l->o->window);
    int64_t before = 0;
    for (size_t i = 0; i < l->n_windows && l->windows[i]; i++) {
        printf("%s%.1f", i ? "," : "", (double)l->o->window * 1e6 / (double)MAX(l->windows[i] - before, 1));
        before = l->windows[i];
    }
    putchar(']');
}

static void print_result(const struct command *c, const struct load *l, double cpu)
{
    double s = MAX((double)(l->ended - l->started) / 1e6, 1e-6);
    uint64_t done = atomic_load(&l->done);
    bool pushes_blobs = c->ops == &mode_put_blobs || c->ops == &mode_push_big;
    uint64_t bytes = pushes_blobs ? done * c->o.size : l->received;
    printf(
        "{\"mode\":\"%s\",\"clients\":%u,\"threads\":%u,\"seconds\":%.6f,\"operations\":%llu,\"failed\":%llu,"
        "\"reconnected\":%llu,\"rate\":%.2f,\"bytes\":%llu,\"gib_per_s\":%.4f,\"driver_cpu_s\":%.4f,",
        c->mode, c->o.clients, c->o.threads, s, (unsigned long long)done, (unsigned long long)l->failed,
        (unsigned long long)l->reconnected, (double)done / s, (unsigned long long)bytes,
        (double)bytes / s / (double)GIB, cpu);
    printf("\"latency_ms\":{\"mean\":%.4f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
           (double)l->latency.sum / 1e3 / (double)MAX(l->latency.n, (uint64_t)1),
           (double)histogram_at(&l->latency, 0.5) / 1e3, (double)histogram_at(&l->latency, 0.9) / 1e3,
           (double)histogram_at(&l->latency, 0.99) / 1e3, (double)l->latency.max / 1e3);
    if (l->o->window)
        print_windows(l);
    if (l->first_failure[0]) {
        printf(",\"first_failure\":");
        print_text(l->first_failure);
    }
    puts("}");
}

static int report(const berth_error *err)
{
    fprintf(stderr, "driver: %s\n", err->message);
    return 1;
}

static int respond(unsigned threads, unsigned port)
{
    berth_error err = BERTH_ERROR_INIT;
    struct responder *r;
    if (responder_start(threads, port, &r, &err) != BERTH_OK)
        return report(&err);
    printf("listening on http://127.0.0.1:%u\n", responder_port(r));
    fflush(stdout);
    for (;;)
        pause();
}

static int drive(struct command *c)
{
    berth_error err = BERTH_ERROR_INIT;
    struct responder *r;
    if (c->ceiling) {
        if (responder_start(2, 0, &r, &err) != BERTH_OK)
            return report(&err);
        snprintf(c->host, sizeof(c->host), "127.0.0.1");
        snprintf(c->port, sizeof(c->port), "%u", responder_port(r));
    }
    struct load l = {.o = &c->o, .ops = c->ops};
    double before = cpu_seconds();
    int code = load_run(&l, &err);
    if (code == BERTH_OK)
        print_result(c, &l, cpu_seconds() - before);
    load_done(&l);
    int status = code == BERTH_OK ? 0 : report(&err);
    if (c->ceiling) { /* the responder's threads still use what they hold: there is nothing to tidy in order
                       */
        fflush(stdout);
        _exit(status);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct command c = {.headers = BERTH_BUF_INIT(LOAD_OUT_MAX), .host = "127.0.0.1", .port = "0"};
    c.o.threads = 2;
    c.o.repository = "bench/push";
    int at = 1;
    if (at < argc && strcmp(argv[at], "ceiling") == 0) {
        c.ceiling = true;
        at++;
    }
    c.mode = at < argc ? argv[at] : "";
    for (size_t i = 0; i < COUNT(modes); i++)
        if (strcmp(modes[i].name, c.mode) == 0)
            c.ops = modes[i].ops;
    bool responds = strcmp(c.mode, "respond") == 0;
    if (!c.ops && !responds)
        take_option(&c, strcmp(c.mode, "--help") == 0 ? OPT_HELP : 0, NULL);
    int option;
    optind = at + 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(&c, option, optarg);
    if (responds)
        return respond(MAX(c.o.threads, 1u), (unsigned)number(c.port, UINT16_MAX));
    c.o.paths = (const char *const *)(void *)(argv + optind);
    c.o.n_paths = (size_t)(argc - optind);
    complete(&c);
    int status = drive(&c);
    berth_buf_done(&c.headers);
    return status;
}
