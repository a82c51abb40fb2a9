"""The classic TensorFlow tutorial under Keras 3 on JAX, and one line more: it is published.

Afterwards `numen serve digits` serves it. `tutorial_tensorflow.py` is the same on TensorFlow.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras

import numen

mnist = numen.Dataset.open("mnist")
train, test = mnist.train.arrays(), mnist.test.arrays()
x_train, y_train = train.inputs["image"] / 255.0, train.target
x_test, y_test = test.inputs["image"] / 255.0, test.target

model = keras.models.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=int(os.environ.get("EPOCHS", "5")), verbose=2)
model.evaluate(x_test, y_test, verbose=2)

published = numen.publish(model, name="digits", sample=x_test[:32])

print(published)
