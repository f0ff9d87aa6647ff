// edge-asr-run: speech to text on a device.
#include <chrono>
#include <csignal>
#include <exception>
#include <new>
#include <optional>
#include <string>

#include "audio_source.h"
#include "bench.h"
#include "display.h"
#include "interrupt.h"
#include "json_lines.h"
#include "memory_use.h"
#include "options.h"
#include "recognizer.h"
#include "screen.h"
#include "transcript.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

// When the program began, as far as it can tell.
struct Start {
  double before_main_ms = cpu_ms();
  std::chrono::steady_clock::time_point main = std::chrono::steady_clock::now();

  double ms() const {
    const std::chrono::duration<double, std::milli> since_main = std::chrono::steady_clock::now() - main;
    return before_main_ms + since_main.count();
  }
};

struct Answer {
  const edge_asr_update& update;
  double call_ms;  // wall clock
};

// Calls the library, whose errors do not name the input.
template <typename Call>
Answer timed(const AudioSource& source, Call call) {
  try {
    const auto started = std::chrono::steady_clock::now();
    const edge_asr_update& update = call();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - started;
    return {update, taken.count()};
  } catch (const Trouble& trouble) {
    throw Trouble(source.name() + ": " + trouble.what());
  }
}

class Run {
 public:
  Run(const Options& options, const Start& start)
      : options_(options), start_(start), model_((set_threads(options), options.model)), progress_(options) {
    check_inputs(options.inputs, options.raw, model_.metadata().sample_rate_hz);
    stream_.emplace(model_, options.threshold);
    const MemoryUse loaded = memory_use();
    release_library_pages();
    const float threshold =
        options.threshold == EDGE_ASR_DEFAULT_THRESHOLD ? model_.metadata().default_threshold : options.threshold;
    identity_ = {options.model, crc32_of_trailer(options.model), model_.metadata().json, threshold, options.threads,
                 start.ms()};
    bench_.before_main_ms = start.before_main_ms;
    bench_.load_ms = start.ms() - start.before_main_ms;
    bench_.after_load_bytes = loaded.resident_bytes;
    bench_.peak_after_load_bytes = loaded.peak_resident_bytes;
    bench_.planned_bytes = model_.planned_bytes();
  }

  void all() {
    for (std::int64_t pass = 1; pass <= options_.repeat && !interrupted(); ++pass) {
      for (const std::string& name : options_.inputs) {
        if (interrupted()) break;
        one(name, pass);
      }
    }
    if (options_.bench) print(options_.json ? bench_line(bench_, identity_) : bench_table(bench_, identity_));
  }

 private:
  void one(const std::string& name, std::int64_t pass) {
    AudioSource source(name, options_.raw, model_.metadata().sample_rate_hz);
    Transcript transcript{options_.json || options_.bench};
    Display display(options_, name);
    if (used_) stream_->restart();
    used_ = true;
    try {
      hear(source, name, pass, transcript, display);
    } catch (...) {
      display.abandon();
      throw;
    }
    if (options_.bench) bench_.take(transcript);
    else if (options_.json) print(file_line(identity_, name, pass, interrupted(), transcript));
  }

  // Ctrl-C ends the input: what was heard before it is not lost.
  void hear(AudioSource& source, const std::string& name, std::int64_t pass, Transcript& transcript, Display& display) {
    bool came = false;
    for (const auto* samples = &source.next(); !samples->empty(); samples = &source.next()) {
      came = true;
      take(timed(source, [&]() -> auto& { return stream_->accept(samples->data(), samples->size()); }), name, pass,
           transcript, display);
      progress_.heard(pass, static_cast<double>(samples->size()) / model_.metadata().sample_rate_hz);
      if (interrupted()) break;
    }
    if (!came && !interrupted()) throw Trouble(source.name() + ": no samples: record it again");
    take(timed(source, [&]() -> auto& { return stream_->finish(); }), name, pass, transcript, display);
    display.finish(transcript);
  }

  void take(const Answer& answer, const std::string& name, std::int64_t pass, Transcript& transcript, Display& display) {
    const edge_asr_update& update = answer.update;
    const bool changed = transcript.take(update, answer.call_ms);
    if (update.step_count > 0 && bench_.first_result_ms == 0.0) bench_.first_result_ms = start_.ms();
    if (options_.json_steps && (changed || update.step_count > 0)) {
      print(update_line(name, pass, transcript, update, answer.call_ms));
    }
    if (changed) display.heard(transcript);
  }

  const Options& options_;
  const Start& start_;
  Model model_;
  std::optional<Stream> stream_;
  Identity identity_{};
  Bench bench_;
  Progress progress_;
  bool used_ = false;  // the stream: the next input needs a restart
};

int run(int count, char** arguments, const Start& start) {
  const auto options = parse_options(count, arguments);
  if (!options) return kDone;
  keep_libraries_off_the_screen();
  catch_interrupt();
  Run(*options, start).all();
  return interrupted() ? kInterrupted : kDone;
}

}  // namespace
}  // namespace edge_asr::runner

int main(int count, char** arguments) {
  using namespace edge_asr::runner;
  const Start start;
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is told by write
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
