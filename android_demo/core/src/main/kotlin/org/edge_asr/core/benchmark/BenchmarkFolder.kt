package org.edge_asr.core.benchmark

import java.io.File
import java.io.IOException

/**
 * Where a benchmark finds its files, and leaves its answer; see edge_asr/profiling/targets/android.md. There is one
 * answer, the first: nothing replaces it.
 */
class BenchmarkFolder(val folder: File) {
    private var answered = false

    /** Makes the folder, and removes what an earlier run left. Throws [IOException]. */
    @Synchronized
    fun prepare() {
        if (!folder.isDirectory && !folder.mkdirs()) throw IOException("${folder.name}: the folder cannot be made")
        for (name in listOf(REPORT, HEARD, ERROR, PROGRESS)) {
            val old = File(folder, name)
            if (old.exists() && !old.delete()) throw IOException("${folder.name}/$name: it cannot be removed")
        }
    }

    val models: List<File> get() = inside("models", ".pte")

    val recordings: List<Recording> get() = inside("audio", ".wav").map(::Recording)

    /** Appends a line; where there is no room the benchmark goes on. */
    @Synchronized
    fun progress(line: String) {
        try {
            File(folder, PROGRESS).appendText(oneLine(line) + "\n")
        } catch (_: IOException) {
            return
        }
    }

    /** Returns whether this is the answer. Throws [IOException]. */
    @Synchronized
    fun fail(message: String): Boolean {
        if (answered) return false
        write(ERROR, oneLine(message) + "\n")
        answered = true
        return true
    }

    /** The report comes last: who sees it finds the rest. Returns whether this is the answer. Throws [IOException]. */
    @Synchronized
    fun finish(outcome: Outcome): Boolean {
        if (answered) return false
        write(HEARD, outcome.heard.joinToString("") { heardLine(it.setting, it.audio, it.text) })
        write(REPORT, outcome.report.toJson())
        answered = true
        return true
    }

    private fun write(name: String, content: String) {
        val unfinished = File(folder, "$name.unfinished")
        unfinished.writeText(content)
        if (!unfinished.renameTo(File(folder, name))) throw IOException("${folder.name}/$name: it cannot be written")
    }

    private fun inside(name: String, ending: String): List<File> =
        File(folder, name).listFiles().orEmpty().filter { it.isFile && it.name.endsWith(ending) }.sortedBy { it.name }

    private companion object {
        const val REPORT = "report.json"
        const val HEARD = "heard.jsonl"
        const val ERROR = "error.txt"
        const val PROGRESS = "progress.txt"

        fun oneLine(text: String) = text.split(Regex("\\s+")).joinToString(" ").trim()
    }
}
