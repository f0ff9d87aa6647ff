// edge-asr-run: speech to text on a device.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <functional>
#include <new>
#include <optional>

#include "audio_source.h"
#include "bench.h"
#include "interrupt.h"
#include "json_lines.h"
#include "live_text.h"
#include "memory_use.h"
#include "options.h"
#include "recognizer.h"
#include "screen.h"
#include "transcript.h"
#include "trouble.h"

namespace edge_asr::runner {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double cpu_ms() {
  timespec taken{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &taken);
  return 1e3 * static_cast<double>(taken.tv_sec) + 1e-6 * static_cast<double>(taken.tv_nsec);
}

// When the program began, as far as it can tell.
struct Start {
  double before_main_ms = cpu_ms();
  Clock::time_point main = Clock::now();

  double ms() const { return before_main_ms + ms_since(main); }
};

// Where the text goes while it comes.
class Display {
 public:
  Display(const Options& options, const std::string& name) : text_(!options.json && !options.bench) {
    if (!text_ || !stdout_is_terminal()) return;
    live_.emplace(print, [] { return columns_of(STDOUT_FILENO); });
    if (options.inputs.size() > 1) print("\x1b[2m" + name + "\x1b[0m\n");
  }

  void heard(const Transcript& transcript) {
    if (live_) {
      live_->show(transcript.final, transcript.partial);
    } else if (text_ && transcript.final.size() > printed_) {
      print(transcript.final.substr(printed_));
      printed_ = transcript.final.size();
    }
  }

  void finish(const Transcript& transcript) {
    heard(transcript);
    if (live_) live_->finish(transcript.final);
    else if (text_) print("\n");
  }

  // Leaves what is final, for a message that follows.
  void abandon() noexcept {
    try {
      if (live_ || printed_ > 0) print("\n");
    } catch (const Trouble&) {
    }
  }

 private:
  bool text_;
  std::optional<LiveText> live_;
  std::size_t printed_ = 0;  // bytes of the final text that a pipe has
};

// One line on stderr, where that is a terminal and the text is not seen to come.
class Progress {
 public:
  explicit Progress(const Options& options)
      : repeat_(options.repeat), shown_(options.json || options.bench || !stdout_is_terminal()) {}
  ~Progress() { write("\r\x1b[K"); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void heard(std::int64_t pass, double new_s) {
    heard_s_ += new_s;
    if (ms_since(last_) < 200.0) return;
    last_ = Clock::now();
    const std::string of = repeat_ > 1 ? "pass " + std::to_string(pass) + " of " + std::to_string(repeat_) + ", " : "";
    write("\r\x1b[K" + of + std::to_string(static_cast<std::int64_t>(heard_s_)) + " s of audio");
  }

 private:
  void write(const std::string& text) const {
    if (shown_) show(text);
  }

  std::int64_t repeat_;
  bool shown_;
  double heard_s_ = 0.0;
  Clock::time_point last_ = Clock::now();
};

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
    try {
      for (const auto* samples = &source.next(); !samples->empty(); samples = &source.next()) {
        came = true;
        progress_.heard(pass, static_cast<double>(samples->size()) / model_.metadata().sample_rate_hz);
        take(stream_->accept(samples->data(), samples->size()), name, pass, transcript, display);
        if (interrupted()) break;
      }
      if (!came && !interrupted()) throw Trouble("no samples: record it again");
      take(stream_->finish(), name, pass, transcript, display);
    } catch (const Trouble& trouble) {
      if (trouble.code() != kFailed || std::string(trouble.what()).rfind(source.name() + ":", 0) == 0) throw;
      throw Trouble(source.name() + ": " + trouble.what());
    }
    display.finish(transcript);
  }

  void take(const edge_asr_update& update, const std::string& name, std::int64_t pass, Transcript& transcript,
            Display& display) {
    const bool changed = transcript.take(update);
    if (update.step_count > 0 && bench_.first_result_ms == 0.0) bench_.first_result_ms = start_.ms();
    if (options_.json_steps && (changed || update.step_count > 0)) {
      print(update_line(name, pass, transcript, update));
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
