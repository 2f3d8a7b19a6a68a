/* A command's options: declared in a table, parsed by one function, shown by `--help`.
 *
 * `--name value` and `--name=value`, in any order with operands; `--` ends the options. Unknown
 * options, missing values and surplus operands are refused with what was meant, perhaps. */
#ifndef WALCAST_CLI_OPTIONS_H
#define WALCAST_CLI_OPTIONS_H

#include "core/core.h"

#define CLI_GIVEN_MAX    128 /* options on one command line */
#define CLI_OPERANDS_MAX 64

typedef struct {
    const char *name;  /* "--role" */
    const char *value; /* what stands for its value in the help: "R"; NULL: a flag */
    const char *doc;
    bool required;
    bool repeats;
} cli_option;

typedef struct {
    const cli_option *option;
    const char *value;
} cli_given;

typedef struct {
    cli_given given[CLI_GIVEN_MAX];
    size_t count;
    const char *operand; /* NULL: none */
    const char *second_operand;
    const char *operands[CLI_OPERANDS_MAX]; /* all of them, those two as well */
    size_t operand_count;
} cli_arguments;

/* `arguments` point into `argv`. INPUT error with one line for the user. `operands`: how many
 * the command takes besides options, at most CLI_OPERANDS_MAX. */
CORE_MUST_CHECK bool cli_options_parse(const cli_option *options, size_t option_count,
                                       unsigned operands, int argc, char *const *argv,
                                       cli_arguments *arguments, core_error *error);
/* The option's (last) value; NULL when not given. */
const char *cli_value(const cli_arguments *arguments, const char *name);
bool cli_flag(const cli_arguments *arguments, const char *name);

/* Walks `count` names, `step` bytes apart, for the one nearest to a mistyped word; NULL when none
 * is near enough. */
const char *cli_nearest(const char *word, const char *const *names, size_t count, size_t step);

#endif
