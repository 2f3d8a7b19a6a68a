// Imported by tests that need the role triggers, or all that a process hosts when nothing is said.
import { Walcast } from './walcast.mjs';

Walcast.roles = undefined;
