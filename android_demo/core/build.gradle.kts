import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
    }
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

dependencies {
    compileOnly(libs.json) // Android brings its own
    testImplementation(libs.json)
    testImplementation(libs.junit)
}

tasks.test {
    useJUnit()
    val vectors = rootDir.resolve("../tests/vectors") // what readers in every language are tested with
    inputs.dir(vectors)
    systemProperty("edge_asr.vectors", vectors.path)
}
