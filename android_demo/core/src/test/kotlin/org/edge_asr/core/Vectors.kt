package org.edge_asr.core

import java.io.File
import org.json.JSONObject

/** The vectors of tests/vectors, which readers in every language are tested with. */
object Vectors {
    private const val FOLDER = "edge_asr.vectors"

    /** One object a line of the file. */
    fun read(name: String): List<JSONObject> {
        val folder = checkNotNull(System.getProperty(FOLDER)) { "-D$FOLDER must name the folder tests/vectors" }
        return File(folder, name).readLines().map(::JSONObject)
    }
}
