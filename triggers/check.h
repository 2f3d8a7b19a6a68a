/* A definition held against the live database: what it names exists, is of types that go together,
 * and is told by the write-ahead log. For one thread at a time; asks PostgreSQL and blocks up to
 * the connection's time limit. */
#ifndef WALCAST_TRIGGERS_CHECK_H
#define WALCAST_TRIGGERS_CHECK_H

#include "triggers/definition.h"
#include "triggers/spec.h"

typedef struct triggers_check triggers_check;

CORE_MUST_CHECK triggers_check *triggers_check_new(const triggers_spec *spec, core_error *error);
void triggers_check_free(triggers_check *check);
/* Closes the connection until it is needed again. */
void triggers_check_rest(triggers_check *check);
/* Tells all that is wrong to `problems`, with places in the document. What it saw of the table is
 * appended to `facts` (facts.h). False: the database could not be asked, `error` says why. */
CORE_MUST_CHECK bool triggers_check_definition(triggers_check *check,
                                               const triggers_definition *definition,
                                               const core_document *document,
                                               core_problems *problems, core_buffer *facts,
                                               core_error *error);

#endif
