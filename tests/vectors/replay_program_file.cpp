// Reads paths of files, one a line; prints of each what is wrong with it, or an empty line.
#include <cstdio>
#include <iostream>
#include <string>

#include "failure.h"
#include "open_file.h"
#include "program_file.h"

int main() {
  for (std::string path; std::getline(std::cin, path);) {
    try {
      edge_asr::check_program_file(edge_asr::OpenFile(path));
      std::puts("");
    } catch (const edge_asr::Failure& failure) {
      std::puts(failure.what());
    }
  }
}
