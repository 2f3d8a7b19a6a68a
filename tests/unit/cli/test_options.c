/* Command lines by a table of options: what is taken, and what each refusal says. */
#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const cli_option options[] = {
    {.name = "--role", .value = "R", .required = true},
    {.name = "--claim", .value = "K=V", .repeats = true},
    {.name = "--json"},
};

typedef struct {
    bool ok;
    cli_arguments arguments;
    core_error error;
} parsed;

static parsed parse(unsigned operands, int argc, const char *const *words) {
    parsed result = {.error = {.code = CORE_ERROR_NONE}};
    char *argv[8];
    for (int i = 0; i < argc; i++)
        memcpy(&argv[i], &words[i], sizeof argv[i]);
    result.ok = cli_options_parse(options, CORE_COUNT_OF(options), operands, argc, argv,
                                  &result.arguments, &result.error);
    return result;
}

#define PARSE(operands, ...)                                                                       \
    parse(operands, (int)CORE_COUNT_OF(((const char *[]){__VA_ARGS__})),                           \
          (const char *[]){__VA_ARGS__})

static void values_flags_and_operands_come_in_any_order(void **state) {
    (void)state;
    parsed result = PARSE(1, "--json", "x", "--role", "anon", "--claim=a=b", "--claim", "c=");
    assert_true(result.ok);
    assert_true(cli_flag(&result.arguments, "--json"));
    assert_string_equal(cli_value(&result.arguments, "--role"), "anon");
    assert_string_equal(cli_value(&result.arguments, "--claim"), "c=");
    assert_int_equal(result.arguments.count, 4);
    assert_string_equal(result.arguments.given[2].value, "a=b");
    assert_string_equal(result.arguments.operand, "x");
    result = PARSE(1, "--role", "--json", "--", "--json");
    assert_true(result.ok);
    assert_string_equal(cli_value(&result.arguments, "--role"), "--json");
    assert_false(cli_flag(&result.arguments, "--json"));
    assert_string_equal(result.arguments.operand, "--json");
    result = PARSE(1, "--role=", "-");
    assert_true(result.ok);
    assert_string_equal(cli_value(&result.arguments, "--role"), "");
    assert_string_equal(result.arguments.operand, "-");
}

static void refusals_say_what_was_meant(void **state) {
    (void)state;
    const struct {
        parsed result;
        const char *text;
    } cases[] = {
        {PARSE(0, "--roel", "x"), "unknown option --roel; did you mean --role?"},
        {PARSE(0, "--frobnicate=1"), "unknown option --frobnicate"},
        {PARSE(0, "-j"), "unknown option -j"},
        {PARSE(0, "--role"), "--role needs a value: --role R"},
        {PARSE(0, "--role", "a", "--json=yes"), "--json takes no value"},
        {PARSE(0, "--role", "a", "--role", "b"), "--role is given twice"},
        {PARSE(0, "--role", "a", "b"), "unexpected argument \"b\""},
        {PARSE(1, "--role", "a", "b", "c"), "unexpected argument \"c\""},
        {PARSE(0, "--json"), "--role R is missing"},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        assert_false(cases[i].result.ok);
        assert_int_equal(cases[i].result.error.code, CORE_ERROR_INPUT);
        assert_string_equal(cases[i].result.error.text, cases[i].text);
    }
}

static void every_command_is_whole(void **state) {
    (void)state;
    size_t count;
    const cli_command *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(commands[i].run);
        assert_true(commands[i].summary[0] >= 'a' && commands[i].summary[0] <= 'z');
        assert_ptr_equal(cli_command_find(commands[i].name), &commands[i]);
        for (size_t j = 0; j < commands[i].option_count; j++) {
            const cli_option *option = &commands[i].options[j];
            assert_true(strncmp(option->name, "--", 2) == 0 && option->doc != NULL);
            for (size_t k = 0; k < j; k++)
                assert_string_not_equal(option->name, commands[i].options[k].name);
        }
    }
    assert_null(cli_command_find("nope"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_flags_and_operands_come_in_any_order),
        cmocka_unit_test(refusals_say_what_was_meant),
        cmocka_unit_test(every_command_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
