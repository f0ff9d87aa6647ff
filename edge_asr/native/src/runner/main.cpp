// edge-asr-run: speech to text on a device.
#include <csignal>
#include <exception>
#include <new>
#include <string>

#include "descriptors.h"
#include "interrupt.h"
#include "options.h"
#include "run.h"
#include "screen.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

int run(int count, char** arguments, const Start& start) {
  require_stdout();
  const auto options = parse_options(count, arguments);
  if (!options) return kDone;
  keep_libraries_off_the_screen();
  catch_interrupts();
  return Run(*options, start).all() ? kDone : kFailed;
}

int run_and_complain(int count, char** arguments, const Start& start) {
  try {
    return run(count, arguments, start);
  } catch (const Trouble& trouble) {
    if (trouble.code() != kPipeClosed) complain(trouble.what());
    return trouble.code();
  } catch (const std::bad_alloc&) {
    complain("out of memory");
  } catch (const std::exception& unforeseen) {
    complain(std::string("internal error: ") + unforeseen.what());
  }
  return kFailed;
}

}  // namespace
}  // namespace edge_asr::runner

int main(int count, char** arguments) {
  using namespace edge_asr::runner;
  const Start start;
  hold_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is told by write
  const int code = run_and_complain(count, arguments, start);
  return interrupted() ? kSignalled + interrupt_signal() : code;
}
