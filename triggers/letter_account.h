/* How much each project has of the dead letters, and which of its letters go when that is more than
 * its share: its own oldest. Two passes over the same letters, the oldest first. Pure; one thread.
 */
#ifndef WALCAST_TRIGGERS_LETTER_ACCOUNT_H
#define WALCAST_TRIGGERS_LETTER_ACCOUNT_H

#include "triggers/letter.h"

typedef struct triggers_letter_account triggers_letter_account;

/* `own` is the project that letters which cannot be read belong to; it lives as long. */
CORE_MUST_CHECK triggers_letter_account *
triggers_letter_account_new(core_slice own, uint64_t share_bytes, core_error *error);
/* NULL is allowed. */
void triggers_letter_account_free(triggers_letter_account *account);
/* The first pass. False: memory is out. */
CORE_MUST_CHECK bool triggers_letter_account_count(triggers_letter_account *account,
                                                   core_slice letter);
/* How many projects have more than their share. */
size_t triggers_letter_account_over(const triggers_letter_account *account);
/* The second pass: whether the letter goes, so that its project is down to seven eighths of its
 * share then. */
CORE_MUST_CHECK bool triggers_letter_account_takes(triggers_letter_account *account,
                                                   core_slice letter);
/* A project that letters were taken of; false ends it. */
typedef bool (*triggers_letter_account_tell)(void *context, core_slice project, size_t letters);
void triggers_letter_account_each(const triggers_letter_account *account,
                                  triggers_letter_account_tell tell, void *context);

#endif
