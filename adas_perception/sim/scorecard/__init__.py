"""The scorecard: public test protocols as data, driven closed loop through the very pipeline that runs in the car."""
