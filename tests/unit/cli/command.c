/* tests/unit/cli/command.c - reading a command line by its row: each kind of option, operands, and mistakes.
 */
#include "fixture.h"

#include "cli/command.h"

static struct state {
    struct cli_base base;
    bool flag;
    const char *text;
    uint64_t number, size;
    int choice;
    struct cli_words words;
} got;

static const struct cli_option options[] = {
    {.name = "flag", .letter = 'f', .kind = CLI_FLAG, .at = offsetof(struct state, flag), .help = "a flag"},
    {.name = "text",
     .letter = 't',
     .kind = CLI_TEXT,
     .value = "TEXT",
     .at = offsetof(struct state, text),
     .help = "a text"},
    {.name = "number",
     .kind = CLI_NUMBER,
     .value = "N",
     .at = offsetof(struct state, number),
     .max = 1000,
     .help = "a number"},
    {.name = "size", .kind = CLI_SIZE, .value = "SIZE", .at = offsetof(struct state, size), .help = "a size"},
    {.name = "choice",
     .kind = CLI_CHOICE,
     .value = "red|green|blue",
     .at = offsetof(struct state, choice),
     .help = "a colour"},
    {.name = "word",
     .kind = CLI_WORDS,
     .value = "K=V",
     .at = offsetof(struct state, words),
     .help = "a word; may be repeated"},
    {0},
};

static const struct cli_command row = {
    .name = "test row",
    .summary = "test a row",
    .operands = "ONE [TWO]",
    .text = "Tests a row.",
    .options = options,
    .examples = (const struct cli_example[]){{"berth test row a", NULL}, {0}},
    .takes = CLI_OUTPUT,
};

/* cli_read() of words parted by single blanks. */
static int read_words(const struct cli_command *c, const char *words)
{
    char *argv[64] = {(char *)(uintptr_t) "row"};
    int argc = 1, was_out, was_err;
    cli_base_done(&got.base);
    got = (struct state){0};
    for (char *at = berth_arena_dup(&scratch, str_from(words)); *at;) {
        char *space = strchr(at, ' ');
        argv[argc++] = at;
        if (!space)
            break;
        *space = '\0';
        at = space + 1;
    }
    fflush(stdout);
    int out = divert(STDOUT_FILENO, &was_out), err = divert(STDERR_FILENO, &was_err);
    int rc = cli_read(c, argc, argv, &got.base);
    fflush(stdout);
    restore(STDOUT_FILENO, was_out, out, out_text, sizeof(out_text));
    restore(STDERR_FILENO, was_err, err, err_text, sizeof(err_text));
    return rc;
}

static void test_cli_command__reads_every_kind_of_option(void **state)
{
    (void)state;
    assert_int_equal(read_words(&row, "a -f --text=x=y --number 7 --size 3KiB --choice blue --word k=v b"),
                     -1);
    CHECK(got.flag && got.number == 7 && got.size == 3072 && got.choice == 2);
    assert_string_equal(got.text, "x=y");
    assert_int_equal(got.words.n, 1);
    assert_int_equal(got.base.n_operands, 2);
    assert_string_equal(got.base.operands[1], "b");
    assert_int_equal(read_words(&row, "- -tfile --text= --flag"), -1);
    CHECK(got.flag && got.text[0] == '\0');
    assert_string_equal(got.base.operands[0], "-");
    assert_int_equal(read_words(&row, "-tfile -- -x"), -1);
    assert_string_equal(got.text, "file");
    assert_string_equal(got.base.operands[0], "-x");
    assert_int_equal(read_words(&row, "a --word 1 --word 2 --word 3 --word 4 --word 5"), -1);
    assert_int_equal(got.words.n, 5);
    for (size_t i = 0; i < 5; i++)
        CHECK_ROW(i, got.words.p[i][0] == (char)('1' + i));
    cli_base_done(&got.base);
}

static void test_cli_command__reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint64_t bytes; /* 0: refused */
    } rows[] = {{"a --size 1", 1},
                {"a --size 1b", 1},
                {"a --size 2k", 2048},
                {"a --size 2K", 2048},
                {"a --size 2kb", 2048},
                {"a --size 16MiB", 16 << 20},
                {"a --size 1G", 1 << 30},
                {"a --size 1t", (uint64_t)1 << 40},
                {"a --size 16777215TiB", (uint64_t)16777215 << 40},
                {"a --size 16777216TiB", 0},
                {"a --size 1i", 0},
                {"a --size 1ib", 0},
                {"a --size k", 0},
                {"a --size -1", 0},
                {"a --size 1.5M", 0},
                {"a --size 1Mx", 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, read_words(&row, rows[i].words) == (rows[i].bytes ? -1 : EXIT_USAGE));
        CHECK_ROW(i, got.size == rows[i].bytes);
    }
    cli_base_done(&got.base);
}

static void test_cli_command__says_what_is_wrong_and_where_help_is(void **state)
{
    (void)state;
    static const struct {
        const char *words, *said;
    } rows[] = {
        {"", "ONE is missing"},
        {"a b c", "'c' is one word too many"},
        {"a --txt x", "'--txt' is not an option; did you mean --text?"},
        {"a --tex=x", "'--tex' is not an option; did you mean --text?"},
        {"a --zzzzz", "'--zzzzz' is not an option\n"},
        {"a -z", "'-z' is not an option\n"},
        {"a -fx", "'-fx' is not an option\n"},
        {"a --flag=yes", "--flag has no value"},
        {"a --text", "--text needs a value"},
        {"a -t", "-t needs a value"},
        {"a --number x", "--number is a number, not 'x'"},
        {"a --number 1001", "--number is at most 1000, not '1001'"},
        {"a --size x", "--size is a size, such as 512k or 16MiB, not 'x'"},
        {"a --choice pink", "--choice is red, green or blue, not 'pink'"},
        {"a --choice re", "--choice is red, green or blue, not 're'"},
        {"a --format {{", "--format: position 3: '}}' is missing"},
        {"a --data x", "'--data' is not an option"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_ROW(i, read_words(&row, rows[i].words) == EXIT_USAGE);
        CHECK_ROW(i, strstr(err_text, rows[i].said) && strstr(err_text, "\ntry: berth test row --help\n"));
        CHECK_ROW(i, out_text[0] == '\0');
    }
    cli_base_done(&got.base);
}

static void test_cli_command__prints_its_row_as_help(void **state)
{
    (void)state;
    assert_int_equal(read_words(&row, "--text x -h --nonsense"), EXIT_OK);
    CHECK(strstr(out_text, "usage: berth test row ONE [TWO] [OPTION...]\n\nTests a row.\n") == out_text);
    static const char *const lines[] = {
        "\n  -f, --flag            a flag\n",
        "\n  -t, --text TEXT       a text\n",
        "\n      --size SIZE       a size\n",
        "\n      --choice red|green|blue\n                        a colour\n",
        "\n  -h, --help            print this\n",
        "\nexample:\n  berth test row a\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        CHECK_ROW(i, strstr(out_text, lines[i]) != NULL);
    cli_base_done(&got.base);
}

static void test_cli_command__takes_json_and_text_for_templates(void **state)
{
    (void)state;
    assert_int_equal(read_words(&row, "a --format json"), -1);
    CHECK(got.base.output == CLI_OUTPUT_JSON && !got.base.format && !cli_wants_text(&got.base));
    assert_int_equal(read_words(&row, "a --format text"), -1);
    CHECK(cli_wants_text(&got.base));
    assert_int_equal(read_words(&row, "a --format {{.x}}"), -1);
    CHECK(got.base.format && !cli_wants_text(&got.base));
    cli_base_done(&got.base);
}

static void test_cli_command__finds_what_was_meant(void **state)
{
    (void)state;
    static const char *const words[] = {"list", "get", "head", "manifest", "delete"};
    static const struct {
        const char *word, *meant;
    } rows[] = {{"lsit", "list"},  {"lst", "list"}, {"lists", "list"},        {"gte", "get"}, {"g", NULL},
                {"del", "delete"}, {"xyz", NULL},   {"mainfest", "manifest"}, {"", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK_STR_ROW(i, str_from(cli_nearest(rows[i].word, words, COUNT(words))), str_from(rows[i].meant));
}

/* What texts are made of must be there, for every command. */
static void test_cli_command__every_row_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        CHECK_ROW(i, c->name && c->summary && c->operands && c->text && c->run && c->examples);
        CHECK_ROW(i, strchr(c->name, ' ') ? cli_family_of(c) != NULL : true);
        CHECK_ROW(i, !(c->takes & CLI_OUTPUT) || c->fields);
        CHECK_ROW(i, str_ends(str_from(c->text), STR(".")) && !str_ends(str_from(c->summary), STR(".")));
        for (const struct cli_example *e = c->examples; e->command; e++)
            CHECK_ROW(i, strstr(e->command, berth_arena_printf(&scratch, "berth %s", c->name)));
        const struct cli_option *o, *other;
        for (size_t k = 0; (o = cli_option_at(c, k)); k++)
            for (size_t m = k + 1; (other = cli_option_at(c, m)); m++)
                CHECK_ROW(i, strcmp(o->name, other->name) != 0 && (!o->letter || o->letter != other->letter));
    }
}

RUN_TESTS(CLI_TEST(test_cli_command__reads_every_kind_of_option), CLI_TEST(test_cli_command__reads_sizes),
          CLI_TEST(test_cli_command__says_what_is_wrong_and_where_help_is),
          CLI_TEST(test_cli_command__prints_its_row_as_help),
          CLI_TEST(test_cli_command__takes_json_and_text_for_templates),
          CLI_TEST(test_cli_command__finds_what_was_meant), CLI_TEST(test_cli_command__every_row_is_whole))
