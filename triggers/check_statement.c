/* Whether a statement could be run: allowed, and taken by its database as one statement with as
 * many parameters as the definition has. Nothing is run. */
#include "triggers/check_private.h"

#include "triggers/sender_sql.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 10 * 1000 };

static core_place place_of(const core_document *document, const char *key) {
    const core_node *action = core_node_find(core_document_root(document), "do");
    const core_node *sql = core_node_find(action, "sql");
    const core_node *node = core_node_find(sql, key);
    return node != NULL ? node->place : sql->place;
}

static void parameters_compare(const triggers_definition *definition, const core_document *document,
                               size_t wanted, core_problems *problems) {
    if (wanted != definition->sql.parameter_count)
        (void)core_problem_tell(problems, place_of(document, "parameters"),
                                "parameters: the statement has %zu, here are %zu", wanted,
                                definition->sql.parameter_count);
}

static void statement_check(pg_connection *connection, const triggers_definition *definition,
                            const core_document *document, core_problems *problems) {
    core_slice text = definition->sql.statement;
    char *statement = strndup((const char *)text.data, text.length);
    core_error error = {.code = CORE_ERROR_INTERNAL, .text = "no memory"};
    size_t wanted = 0;
    if (statement != NULL && pg_statement_check(connection, statement, &wanted, &error))
        parameters_compare(definition, document, wanted, problems);
    else if (pg_connection_sqlstate(connection)[0] != '\0')
        (void)core_problem_tell(problems, place_of(document, "statement"), "statement: %s",
                                error.text);
    else
        core_problem_warn(problems, place_of(document, "statement"),
                          "statement: it could not be checked: %s", error.text);
    free(statement);
}

/* Where nobody has said as whom statements run, they must not have the rights of all unnoticed. */
static void rights_check(pg_connection *connection, const core_document *document,
                         core_problems *problems) {
    static const char sql[] =
        "SELECT current_user FROM pg_roles WHERE rolname = current_user AND rolsuper";
    core_error error = {0};
    pg_result *result = pg_query(connection, sql, NULL, 0, &error);
    if (result == NULL)
        core_problem_warn(problems, place_of(document, "statement"),
                          "statement: whose rights it runs with could not be checked: %s",
                          error.text);
    else if (pg_result_rows(result) > 0)
        core_problem_warn(problems, place_of(document, "statement"),
                          "statement: it runs as the superuser %s of postgres.url; set "
                          "triggers.sql_url to a role that may do no more than it must",
                          pg_result_value(result, 0, 0));
    pg_result_free(result);
}

void triggers_check_statement(const core_config *config, const triggers_definition *definition,
                              const core_document *document, core_problems *problems) {
    const char *url;
    core_error error = {0};
    const core_config *found = triggers_sql_database(config, definition, &url, &error);
    if (found == NULL) {
        (void)core_problem_tell(problems, place_of(document, "database"), "%s", error.text);
        return;
    }
    const pg_connection_spec spec = {.url = url,
                                     .application_name = "walcast-triggers",
                                     .timeout_ms = TIMEOUT_MS,
                                     .cancel_fd = -1,
                                     .keeps_search_path = true};
    pg_connection *connection = pg_connection_new(&spec, &error);
    if (connection != NULL)
        statement_check(connection, definition, document, problems);
    if (connection != NULL && core_config_text(found, "triggers.sql_url") == NULL)
        rights_check(connection, document, problems);
    if (connection == NULL)
        core_problem_warn(problems, place_of(document, "statement"),
                          "statement: it could not be checked: %s", error.text);
    pg_connection_free(connection);
}
