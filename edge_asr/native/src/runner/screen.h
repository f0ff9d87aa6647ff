// stdout, whose reader may go away, and stderr, which libraries write to as well.
#pragma once

#include <string>

namespace edge_asr::runner {

// Throws Trouble where stdout is closed.
void require_stdout();

// Writes all of it at once. Throws Trouble: kPipeClosed where nobody reads any more, kFailed where the disk is full.
void print(const std::string& text);

bool stdout_is_terminal();

// Whether a terminal may be sent more than text: not where $TERM is unset or `dumb`, nor where $NO_COLOR is set.
bool terminal_takes_escapes();

// The text with control characters as spaces.
std::string on_one_line(std::string text);

// What C++ libraries print to stderr goes nowhere from now on; our own lines still reach it.
void keep_libraries_off_the_screen();

void complain(const std::string& line);  // one line on stderr, under our name
void show(const std::string& text);      // on stderr, where it is a terminal; nothing elsewhere

bool verbose();  // EDGE_ASR_VERBOSE=1

}  // namespace edge_asr::runner
